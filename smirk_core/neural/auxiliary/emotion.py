# SPDX-License-Identifier: Apache-2.0
"""Emotion features: a ResNet-50 (He et al. 2016) that was trained to name emotions, from EMOCA's checkpoint.

Source: specification, section 7.5.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .weights import Judge, fill, read_state

__all__ = ["EmotionFeatures", "EmotionLoss"]

_PREFIX, _SIDE = "backbone.", 224
_DEPTHS, _WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)


class _Bottleneck(nn.Module):
    """1x1, 3x3 (which takes the stride), 1x1 with four times the channels."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class EmotionFeatures(Judge):
    """ResNet-50 without its last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for number, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS, strict=True), 1):
            blocks = []
            for block in range(depth):
                blocks.append(_Bottleneck(channels, width, 2 if number > 1 and block == 0 else 1))
                channels = 4 * width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.settle()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EmotionFeatures:
        """From EMOCA's emotion-recognition checkpoint, or its ``state_dict`` alone; its classifier is passed over.

        Raises:
            AssetError: the file is missing, damaged or holds another network.
        """
        module = cls()
        dropped = f"{_PREFIX}fc."
        arrays = read_state(path, lambda n: n.startswith(_PREFIX) and not n.startswith(dropped), entry="state_dict")
        fill(module, {n.removeprefix(_PREFIX): v for n, v in arrays.items()}, str(path))
        return module

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], not normalised, to (B, 2048)."""
        if image.shape[-2:] != (_SIDE, _SIDE):
            image = F.interpolate(image, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return F.avg_pool2d(x, 7).flatten(1)


class EmotionLoss(Judge):
    """Mean squared difference of emotion features; see :class:`..losses.PictureLoss`. Meant for the encoder alone."""

    def __init__(self, features: EmotionFeatures) -> None:
        super().__init__()
        self.features = features

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Two batches (B, 3, H, W) in [0, 1] to a scalar; gradients go to ``made`` only."""
        with torch.no_grad():
            goal = self.features(wanted)
        return F.mse_loss(self.features(made).float(), goal.float())
