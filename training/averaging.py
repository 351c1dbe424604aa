# SPDX-License-Identifier: Apache-2.0
"""Averages: of gradients over processes, and of an encoder's weights over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage", "average_buffers", "average_gradients"]


def average_gradients(parameters: Iterable[nn.Parameter], reduce: Callable[[Tensor], Tensor]) -> None:
    """Replace gradients by their mean over all processes, in one message.

    A parameter without a gradient counts as zeros where another process has one (a batch without truth beside one with
    it); where none has one, it stays without.

    Args:
        parameters: the same in all processes, in the same order.
        reduce: mean of a tensor over processes.
    """
    parameters = [p for p in parameters if p.requires_grad]
    if not parameters:
        return
    kind = torch.float32
    parts = [torch.zeros(p.numel(), device=p.device, dtype=kind) if p.grad is None else p.grad.reshape(-1).to(kind)
             for p in parameters]  # fmt: skip
    present = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device, dtype=kind)
    mean = reduce(torch.cat([*parts, present]))
    some = mean[-len(parameters) :].tolist()
    at = 0
    for p, known in zip(parameters, some, strict=True):
        p.grad = mean[at : at + p.numel()].view_as(p).to(p.dtype).clone() if known > 0 else None
        at += p.numel()


def average_buffers(module: nn.Module, reduce: Callable[[Tensor], Tensor]) -> None:
    """Replace batch statistics by their mean over all processes; each process gathers its own from its own samples."""
    buffers = [b for b in module.buffers() if b.dtype.is_floating_point]
    if not buffers:
        return
    mean = reduce(torch.cat([b.reshape(-1).float() for b in buffers]))
    at = 0
    for b in buffers:
        b.copy_(mean[at : at + b.numel()].view_as(b))
        at += b.numel()


class MovingAverage:
    """Weights and batch statistics of a network, averaged over time; young averages follow faster.

    Args:
        module: whose weights are followed.
        decay: share of the old average that stays each step, in the long run.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        now = module.state_dict()
        moving = [k for k, v in self.values.items() if v.dtype.is_floating_point]
        for name in moving:
            self.values[name].lerp_(now[name].to(self.values[name].dtype), 1 - decay)
        for name, value in self.values.items():
            if not value.dtype.is_floating_point:
                value.copy_(now[name])

    def state_dict(self) -> dict[str, object]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict) -> None:
        self.steps = int(state["steps"])
        for name, value in self.values.items():
            value.copy_(state["values"][name])
