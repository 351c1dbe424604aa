# SPDX-License-Identifier: Apache-2.0
"""Real portraits as batches for the two paths of neural synthesis: crops as the bank has them, and the face's hull."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.neural.masking import hull_mask
from smirk_core.neural.mesh_render import project_crop
from smirk_core.neural.paths import Batch
from smirk_core.neural.torch_head import torch_head

from ..data.album import ALBUM_SCALE, Album
from ..data.augment import Augment
from ..data.dice import Dice

__all__ = ["Photos"]

_SCALES = (1.1, 1.5)  # of a crop over the landmarks' box, as in the bank
_SHIFT, _TURN = 0.1, 0.15  # at most, crop units and radians


@dataclass(frozen=True)
class Photos:
    """Portraits as they are, with no word on what their faces do.

    Attributes:
        pictures: (N, 3, T, T) uint8 squares around the faces.
        points: (N, 478, 2) landmarks of the fitted heads, crop coordinates of the squares.
    """

    pictures: Tensor
    points: Tensor

    @staticmethod
    def load(fits: Path, faces: Path, model: HeadModel, size: int, limit: int | None = None) -> Photos:
        """Portraits whose fits are good, for crops of ``size`` pixels.

        Raises:
            TrainingError: the fits cannot be used, or no portrait is left.
        """
        album = Album.load(fits, faces, model, size, limit=limit, scale=_SCALES[0])
        head, parts = torch_head(model), []
        for rows in torch.arange(len(album)).split(32):
            groups = {n: v[rows] for n, v in album.groups.items()}
            marks = landmark_points(head, decode(head, groups).vertices, model.landmarks["mediapipe_478"])
            parts.append(project_crop(marks, groups["camera"])[..., :2])
        return Photos(album.pictures, torch.cat(parts))

    def __len__(self) -> int:
        return len(self.pictures)

    def crop(self, rows: Tensor, scale: Tensor, shift: Tensor, angle: Tensor, size: int) -> Batch:
        """Crops of rows (B,), (B, 3, size, size).

        Args:
            scale: (B,) of a crop over the landmarks' box.
            shift: (B, 2) of its middle, in units of the crop.
            angle: (B,) radians by which it is turned.
        """
        zoom = scale / ALBUM_SCALE
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # crop to square
        middle = (turn @ shift[:, :, None])[..., 0]
        places = torch.cat([turn, middle[:, :, None]], 2)
        grid = affine_grid(places, [len(rows), 3, size, size], align_corners=False)
        image = grid_sample(self.pictures[rows].float() / 255, grid, padding_mode="border", align_corners=False)
        points = (self.points[rows] - middle[:, None]) @ turn / zoom.square()[:, None, None]
        hull = hull_mask((points + 1) * (size / 2) - 0.5, size, size)
        return Batch(image, hull, {"mediapipe_478": points})

    def batch(self, count: int, size: int, seed: int) -> Batch:
        """``count`` random portraits, framed, lit and mirrored at random."""
        dice = Dice(seed)
        rows = dice.pick(len(self), count)
        scale = dice.uniform(*_SCALES, count)
        shift, angle = dice.uniform(-_SHIFT, _SHIFT, count, 2), dice.uniform(-_TURN, _TURN, count)
        light = Augment(geometry=0.0, covers=0.0)
        return light(self.crop(rows, scale, shift, angle, size), int(np.int64(seed) ^ 0x5EED))
