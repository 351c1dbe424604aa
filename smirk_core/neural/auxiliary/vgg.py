# SPDX-License-Identifier: Apache-2.0
"""Perceptual loss on the features of VGG16 (Johnson et al. 2016), with torchvision's weights but not torchvision.

The file is torchvision's ``vgg16-397923af.pth`` (or any with its names). Source: specification, section 7.5.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .weights import Judge, fill, read_state

__all__ = ["PerceptualLoss", "Vgg16Features"]

_SIDE = 224
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))


class Vgg16Features(Judge):
    """The first ten convolutions, under torchvision's names ``features.0`` to ``features.21``."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self._ends: list[int] = []
        channels = 3
        for block in _WIDTHS:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            self._ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.settle()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vgg16Features:
        """From a file of torchvision's weights; its deeper layers and its classifier are passed over.

        Raises:
            AssetError: the file is missing, damaged or holds another network.
        """
        module = cls()
        names = set(module.state_dict())
        fill(module, read_state(path, names.__contains__), str(path))
        return module

    def forward(self, image: Tensor) -> list[Tensor]:
        """Normalised (B, 3, H, W) to the four maps at relu1_2, relu2_2, relu3_3 and relu4_3."""
        maps, at = [], 0
        for end in self._ends:
            image = self.features[at:end](image)
            maps.append(image)
            at = end
        return maps


class PerceptualLoss(Judge):
    """Sum over four depths of the mean absolute difference of features; see :class:`..losses.PictureLoss`.

    Args:
        features: the network.
        faithful: show it pictures squeezed to [0.5, 1], as the original does by mistake (specification, section 9,
            defect 6).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Vgg16Features, *, faithful: bool = False) -> None:
        super().__init__()
        self.features, self.faithful = features, faithful
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None], persistent=False)

    def _prepared(self, image: Tensor) -> Tensor:
        if self.faithful:
            image = 0.5 * image + 0.5
        image = (image - self.mean) / self.deviation
        if image.shape[-2:] != (_SIDE, _SIDE):
            image = F.interpolate(image, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        return image

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Two batches (B, 3, H, W) in [0, 1] to a scalar; gradients go to ``made`` only."""
        with torch.no_grad():
            goal = self.features(self._prepared(wanted))
        found = self.features(self._prepared(made))
        terms = [(a - b).abs().float().mean() for a, b in zip(found, goal, strict=True)]
        return torch.stack(terms).sum()
