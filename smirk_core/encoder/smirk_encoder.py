# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingImports=false
"""SMIRK's three encoders in torch: for training, and to load published weights into. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .architecture import BRANCHES, Branch, EncoderSize
from .backbone import Backbone

__all__ = ["SmirkEncoder"]

Tensor = Any
_START_SCALE = 7.0  # of the crop camera before training: a crop of 2 / 7 m


class _BranchEncoder(nn.Module):
    """Backbone, mean over the picture, one linear layer: (B, 3, H, W) to (B, rows)."""

    def __init__(self, branch: Branch, rows: int) -> None:
        super().__init__()
        self.head_name = branch.head
        self.encoder = Backbone(branch)
        self.add_module(branch.head, nn.Sequential(nn.Linear(branch.features, rows)))

    @property
    def head(self) -> Any:
        """The linear layer."""
        return getattr(self, self.head_name)[0]

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder.pooled(images)
        # A camera scale of 7 in bfloat16 moves in steps of 0.03: the last layer is kept out of mixed precision.
        with torch.autocast(images.device.type, enabled=False):
            return self.head(features.to(self.head.weight.dtype))


class SmirkEncoder(nn.Module):
    """(B, 3, 224, 224) RGB in [0, 1] to a dictionary of (B, size) tensors, see ``EncoderSize.outputs``.

    ``state_dict`` has exactly the names of a published checkpoint without its prefix.

    Args:
        size: how many identity and expression coefficients; FLAME in SMIRK: 300 and 50.
    """

    def __init__(self, size: EncoderSize | None = None) -> None:
        super().__init__()
        self.size = size or EncoderSize()
        for branch in BRANCHES:
            self.add_module(branch.name, _BranchEncoder(branch, self.size.rows(branch.name)))
        self.reset_heads()

    def reset_heads(self) -> None:
        """The start of training: mean face, small expression, a crop camera of scale 7 (specification, 1.3)."""
        factors = {"pose_encoder": 0.001, "shape_encoder": 0.0, "expression_encoder": 0.1}
        with torch.no_grad():
            for name, factor in factors.items():
                head = getattr(self, name).head
                head.reset_parameters()
                head.weight.mul_(factor)
                head.bias.mul_(factor)
            head = getattr(self, "pose_encoder").head  # noqa: B009 - a module added by name
            head.weight[3] = 0.0
            head.bias[3] = _START_SCALE

    def raw(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs before they are clamped."""
        values = {branch.name: getattr(self, branch.name)(images) for branch in BRANCHES}
        return {o.name: values[o.branch][:, slice(*o.rows)] for o in self.size.outputs}

    def clamped(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs with lids in [0, 1], the jaw opening >= 0 and its other axes within .2 radians."""
        out = dict(raw)
        for o in self.size.outputs:
            if o.low is not None and o.high is not None:
                low, high = (
                    torch.as_tensor(v, dtype=raw[o.name].dtype, device=raw[o.name].device) for v in (o.low, o.high)
                )
                out[o.name] = torch.clamp(raw[o.name], low, high)
        return out

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.clamped(self.raw(images))
