# SPDX-License-Identifier: Apache-2.0
"""MICA's identity (Zielon et al. 2022): a face recogniser's feature mapped to FLAME's shape, from the file mica.tar.

It teaches the shape encoder in pretraining. Source: specification, sections 7.5 and 9 (defects 1 and 2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..paths import Batch
from .weights import Judge, fill, read_state

__all__ = ["FAN_POINTS", "FAN_POINTS_ORIGINAL", "MEDIAPIPE_POINTS", "ArcFace", "Mica", "aligned", "with_aligned"]

_SIDE = 112
_TEMPLATE = (
    (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041),
)  # fmt: skip
# Eyes (means of both corners), tip of the nose, corners of the mouth; from the picture's left to its right.
FAN_POINTS = ((36, 39), (42, 45), (30,), (48,), (54,))
FAN_POINTS_ORIGINAL = ((36, 39), (42, 45), (32,), (48,), (54,))  # the side of a nostril for the tip of the nose
MEDIAPIPE_POINTS = ((33, 133), (362, 263), (4,), (61,), (291,))
_DEPTHS, _WIDTHS = (3, 13, 30, 3), (64, 128, 256, 512)


class _Block(nn.Module):
    """A residual block that normalises first."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn2, self.prelu = nn.BatchNorm2d(width), nn.PReLU(width)
        self.conv2, self.bn3 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + (x if self.downsample is None else self.downsample(x))


class ArcFace(Judge):
    """IResNet-100 (Deng et al. 2019): faces (B, 3, 112, 112) in [-1, 1] to features (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.prelu = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        channels = 64
        for number, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS, strict=True), 1):
            blocks = []
            for block in range(depth):
                blocks.append(_Block(channels, width, 2 if block == 0 else 1))
                channels = width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.bn2, self.fc, self.features = nn.BatchNorm2d(512), nn.Linear(512 * 7 * 7, 512), nn.BatchNorm1d(512)
        self.settle()

    def forward(self, image: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(image)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _Regressor(nn.Module):
    """Feature to shape, under MICA's names."""

    def __init__(self, shapes: int) -> None:
        super().__init__()
        sizes = (512, 300, 300, 300, 300)
        self.network = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])
        self.output = nn.Linear(300, shapes)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.network:
            x = F.leaky_relu(layer(x), 0.2)
        return self.output(x)


class Mica(Judge):
    """Aligned faces to FLAME's 300 shape coefficients.

    Args:
        faithful: show the recogniser blue first, as the original does by mistake (defect 2).
    """

    def __init__(self, *, faithful: bool = False) -> None:
        super().__init__()
        self.faithful = faithful
        self.arcface, self.regressor = ArcFace(), _Regressor(300)
        self.settle()

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, faithful: bool = False) -> Mica:
        """From ``mica.tar``; FLAME's own arrays in it are passed over.

        Raises:
            AssetError: the file is missing, damaged or holds another network.
        """
        module = cls(faithful=faithful)
        fill(module.arcface, read_state(path, entry="arcface"), str(path))
        prefix = "regressor."
        arrays = read_state(path, lambda n: n.startswith(prefix), entry="flameModel")
        fill(module.regressor, {n.removeprefix(prefix): v for n, v in arrays.items()}, str(path))
        return module

    @torch.no_grad()
    def forward(self, faces: Tensor) -> Tensor:
        """(B, 3, 112, 112) RGB in [0, 1], as :func:`aligned` gives them, to (B, 300)."""
        with torch.autocast(faces.device.type, enabled=False):
            faces = (faces.flip(1) if self.faithful else faces).float()
            return self.regressor(F.normalize(self.arcface(2 * faces - 1)))


def aligned(image: Tensor, points: Tensor, parts: Sequence[Sequence[int]] = MEDIAPIPE_POINTS) -> Tensor:
    """Faces as recognisers want them.

    Args:
        image: (B, 3, S, S) in [0, 1].
        points: (B, L, 2) landmarks in crop coordinates.
        parts: landmarks of both eyes, the nose and the mouth's corners; see :data:`MEDIAPIPE_POINTS`.

    Returns:
        (B, 3, 112, 112): turned, scaled and shifted so that the five places come closest to the standard ones; black
        outside the picture, and all black where the five places are one.
    """
    with torch.autocast(image.device.type, enabled=False):
        five = torch.stack([points[:, list(part)].float().mean(1) for part in parts], 1)
        goal = five.new_tensor(_TEMPLATE)
        # Least squares from the standard places to the picture, as complex numbers: z -> m z + t (Umeyama 1991).
        a = torch.view_as_complex((goal - goal.mean(0)).contiguous())
        middle = five.mean(1)
        b = torch.view_as_complex((five - middle[:, None]).contiguous())
        m = (b * a.conj()).sum(1) / (a * a.conj()).sum().real
        steps = torch.arange(_SIDE, device=image.device, dtype=torch.float32)
        row, column = torch.meshgrid(steps, steps, indexing="ij")
        z = torch.complex(column, row) - torch.complex(goal[:, 0].mean(), goal[:, 1].mean())
        place = torch.view_as_real(m[:, None, None] * z) + middle[:, None, None]
        faces = F.grid_sample(image.float(), place, mode="bilinear", padding_mode="zeros", align_corners=False)
        return faces * (m.abs() > 1e-6)[:, None, None, None]


@torch.no_grad()
def with_aligned(batch: Batch, *, faithful: bool = False) -> Batch:
    """The batch with what a face recogniser wants to see; to be called before light and colours are changed.

    Args:
        faithful: align by FAN's landmarks with a nostril for the nose, and trust faces whose landmarks are not known
            (defects 1 and 2); else by MediaPipe's, and trust only faces whose five places are known and apart.

    Returns:
        With ``aligned`` (B, 3, 112, 112), black and of no trust where a face cannot be aligned.
    """
    name, parts = ("ibug_68", FAN_POINTS_ORIGINAL) if faithful else ("mediapipe_478", MEDIAPIPE_POINTS)
    used = [index for part in parts for index in part]
    points = batch.landmarks[name]
    known = points[:, used].isfinite().all(-1).all(-1)
    faces = aligned(batch.image, torch.where(known[:, None, None], points, 0.0), parts)
    trust = torch.ones_like(known) if faithful else known & (points[:, used].std(1).amax(-1) > 1e-6)
    given = None if faithful else batch.trust.get(name)
    if given is not None:
        trust = trust & (given if given.ndim == 1 else given[:, used].amin(-1)).gt(0)
    faces = torch.where(trust[:, None, None, None], faces, 0.0)
    return replace(batch, aligned=faces, trust=dict(batch.trust) | {"aligned": trust.float()})
