# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingImports=false
"""MobileNetV3 "minimal" in torch, with the names and the numerics of TensorFlow's weights. Needs torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .architecture import NORM_EPSILON, NORM_MOMENTUM, Block, Branch, ConvUnit, same_padding

__all__ = ["Backbone"]

Tensor = Any


class SameConv(nn.Conv2d):
    """A convolution padded like TensorFlow's SAME: with stride 2 on even sizes, zeros go right and below only."""

    def __init__(self, unit: ConvUnit) -> None:
        padding = (unit.kernel - 1) // 2 if unit.stride == 1 else 0
        super().__init__(
            unit.inputs, unit.outputs, unit.kernel, unit.stride, padding, groups=unit.groups, bias=False
        )  # fmt: skip
        self.unit = unit

    def forward(self, input: Tensor) -> Tensor:
        unit = self.unit
        if unit.stride > 1:
            rows, columns = (same_padding(n, unit.kernel, unit.stride) for n in input.shape[-2:])
            input = functional.pad(input, (*columns, *rows))
        return super().forward(input)


class UnitBlock(nn.Module):
    """A row of convolutions with batch normalisation, with or without a skip."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block
        for unit in block.units:
            self.add_module(unit.conv, SameConv(unit))
            self.add_module(unit.norm, nn.BatchNorm2d(unit.outputs, eps=NORM_EPSILON, momentum=NORM_MOMENTUM))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for unit in self.block.units:
            y = getattr(self, unit.norm)(getattr(self, unit.conv)(y))
            if unit.relu:
                y = functional.relu(y)
        return x + y if self.block.skip else y


class Backbone(UnitBlock):
    """(B, 3, H, W) float in [0, 1] to the last feature map (B, C, H / 32, W / 32).

    The module is the stem itself (``conv_stem``, ``bn1``); ``blocks`` holds the stages.
    """

    def __init__(self, branch: Branch) -> None:
        stem, *rest = branch.blocks
        super().__init__(stem)
        stages = [[b for b in rest if b.stage == s] for s in range(rest[-1].stage + 1)]
        self.blocks = nn.ModuleList(nn.ModuleList(UnitBlock(b) for b in stage) for stage in stages)
        self.features = branch.features

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        for stage in self.blocks:
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
        return x

    def pooled(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the mean of the last map, (B, C)."""
        return torch.mean(self(x), dim=(2, 3))
