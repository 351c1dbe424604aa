# SPDX-License-Identifier: Apache-2.0
"""The teacher, a plain residual network with a spatial head, and the student, SMIRK's three MobileNets with extras."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from smirk_core.encoder.architecture import BRANCHES
from smirk_core.encoder.backbone import Backbone

from .answers import Answers

__all__ = ["WIDTHS", "Student", "Teacher"]

WIDTHS = (48, 96, 160)  # of the teacher, where nothing else is said


def _conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )  # fmt: skip


class _Residual(nn.Module):
    """Two convolutions and a skip (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = _conv(inputs, outputs, stride), _conv(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else _conv(inputs, outputs, stride, 1)
        if same:  # begins as nothing, so that a network may grow by it
            nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.skip(x))


class Teacher(nn.Module):
    """(B, 3, S, S) RGB in [0, 1] to answers (B, A); S a multiple of 16.

    The last map is flattened, not averaged: where something is, is the answer.

    Args:
        answers: their layout.
        size: of the pictures.
        widths: channels at a quarter, an eighth and a sixteenth of the size.
        depth: residual blocks at each.
    """

    def __init__(
        self,
        answers: Answers,
        size: int = 112,
        widths: tuple[int, ...] = WIDTHS,
        depth: tuple[int, ...] = (1, 1, 2),
    ) -> None:
        super().__init__()
        stem = widths[0] // 2
        self.depth, self.widths = tuple(depth), tuple(widths)
        layers: dict[str, nn.Module] = {"stem": _conv(3, stem, 2, 5), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}
        inputs = stem
        for k, (width, count) in enumerate(zip(widths, depth, strict=True)):
            for n in range(count):
                layers[f"stage{k}_{n}"] = _Residual(inputs, width, 2 if n == 0 and k else 1)
                inputs = width
        self.trunk = nn.Sequential(OrderedDict(layers))
        self.squeeze = nn.Sequential(nn.Conv2d(inputs, 64, 1), nn.ReLU(), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(64 * (size // 16) ** 2, 512), nn.ReLU())
        self.head = nn.Linear(512, answers.size)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        features = self.hidden(self.squeeze(self.trunk(images - 0.5)))
        with torch.autocast(images.device.type, enabled=False):
            return self.head(features.float())


class Student(nn.Module):
    """SMIRK's three networks with linear heads that answer in units of spread; see ``export`` for their names in files.

    Args:
        answers: their layout.
    """

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        rows = {n: p.stop - p.start for n, p in answers.parts.items()}
        self.own = {
            "pose_encoder": ("rotation", "camera"),
            "shape_encoder": ("identity",),
            "expression_encoder": tuple(n for n in rows if n not in ("rotation", "camera", "identity")),
        }
        self.order = [(n, rows[n]) for n in rows]
        self.backbones = nn.ModuleDict({b.name: Backbone(b) for b in BRANCHES})
        self.heads = nn.ModuleDict(
            {b.name: nn.Linear(b.features, sum(rows[n] for n in self.own[b.name])) for b in BRANCHES}
        )
        self._rows = rows
        with torch.no_grad():
            for head in self.heads.values():
                head.weight.mul_(0.1)  # type: ignore[operator]
                head.bias.zero_()  # type: ignore[operator]

    def forward(self, images: Tensor, branches: tuple[str, ...] | None = None) -> Tensor:
        """Answers (B, A); those of branches left out are zeros."""
        found: dict[str, Tensor] = {}
        for name, parts in self.own.items():
            sizes = [self._rows[n] for n in parts]
            if branches is not None and name not in branches:
                values = images.new_zeros(len(images), sum(sizes), dtype=torch.float32)
            else:
                features = self.backbones[name].pooled(images)  # type: ignore[operator]
                with torch.autocast(images.device.type, enabled=False):
                    values = self.heads[name](features.float())
            found |= dict(zip(parts, values.split(sizes, dim=1), strict=True))
        return torch.cat([found[n] for n, _ in self.order], 1)
