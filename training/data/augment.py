# SPDX-License-Identifier: Apache-2.0
"""Batches of faces changed at random: light, colour and noise, covers, place in the crop, left and right.

Own tensor code and no library: the one the original used changes one picture at a time on the CPU and its successor is
under another licence; kornia would be a dependency for eight changes of a few lines each. This way a batch is changed
on its device, its landmarks, hull and truth in the same step, and from one seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from smirk_core.errors import TrainingError
from smirk_core.neural.masking import hull_mask
from smirk_core.neural.paths import Batch

from .covers import covered
from .dice import Dice
from .mirror import Mirror, mirrored
from .photo_noise import photo_noise

__all__ = ["Augment", "moved"]

_PLACED = ("rotation", "camera")  # truth that a turned or shifted picture would contradict


@dataclass(frozen=True)
class Augment:
    """What is done to a batch; the original did neither flips nor covers (specification, section 7.6).

    Attributes:
        noise: whether light, colour, sharpness and noise are changed.
        geometry: chance of a picture to be shifted, scaled and turned.
        shift: at most, as a share of the picture. zoom: at most, so 0.1 is 0.9 to 1.1. turn: at most, degrees.
        flip: chance to be mirrored. covers: chance to be covered in part.
        mirror: of the head that the truth speaks of, for flips of faces with truth.
    """

    noise: bool = True
    geometry: float = 0.9
    shift: float = 0.05
    zoom: float = 0.1
    turn: float = 10.0
    flip: float = 0.5
    covers: float = 0.1
    mirror: Mirror | None = None

    @staticmethod
    def of(words: Mapping[str, Any]) -> Augment:
        """From a configuration; ``original: true`` leaves flips and covers out.

        Raises:
            TrainingError: a setting is unknown or out of bounds.
        """
        words = dict[str, Any](words)
        if words.pop("original", False):
            words = dict[str, Any]({"flip": 0.0, "covers": 0.0}) | words
        known = [f.name for f in fields(Augment) if f.name != "mirror"]
        if unknown := sorted(set(words) - set(known)):
            raise TrainingError(f"Augmentation has no setting '{unknown[0]}'; there are {', '.join(known)}, original.")
        change = Augment(**words)
        for name in ("geometry", "flip", "covers"):
            if not 0 <= getattr(change, name) <= 1:
                raise TrainingError(f"The augmentation's {name} is a chance, 0 to 1, not {getattr(change, name)}.")
        if not 0 <= change.zoom < 1:
            raise TrainingError(f"The augmentation's zoom must be 0 to below 1, not {change.zoom}.")
        return change

    def __call__(self, batch: Batch, seed: int, between: Callable[[Batch], Batch] | None = None) -> Batch:
        """A changed batch. Pictures whose pose is known exactly are not moved: their truth would no longer hold.

        ``between`` is called when faces are mirrored but not yet otherwise changed: for what judges clean pictures.
        """
        dice = Dice(seed, batch.image.device)
        count = len(batch)
        if self.flip > 0:
            batch = mirrored(batch, dice.coin(self.flip, count), self.mirror)
        if between is not None:
            batch = between(batch)
        if self.covers > 0:
            batch = replace(batch, image=covered(batch.image, batch.hull, dice, self.covers))
        if self.noise:
            batch = replace(batch, image=photo_noise(batch.image, dice))
        if self.geometry > 0 and not any(name in batch.truth for name in _PLACED):
            move = dice.coin(self.geometry, count).float()
            angle = torch.deg2rad(dice.uniform(-self.turn, self.turn, count)) * move
            scale = 1 + dice.uniform(-self.zoom, self.zoom, count) * move
            shift = 2 * dice.uniform(-self.shift, self.shift, count, 2) * move[:, None]
            batch = moved(batch, angle, scale, shift)
        return batch


def moved(batch: Batch, angle: Tensor, scale: Tensor, shift: Tensor) -> Batch:
    """A batch turned about the middle of its pictures, scaled, then shifted; black comes in at the edges.

    Args:
        angle: (B,) radians counter-clockwise as seen. scale: (B,). shift: (B, 2) crop units (2 is the whole picture).

    Landmarks that leave the picture are kept. The hull is drawn anew from the landmarks where there are 478 of them.
    """
    cos, sin = (angle.cos() * scale)[:, None], (angle.sin() * scale)[:, None]
    # y points down, so counter-clockwise as seen is x' = cos x + sin y, y' = cos y - sin x.
    forward = torch.stack([torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)], 1)
    inverse = forward.transpose(1, 2) / scale.square()[:, None, None]
    back = torch.cat([inverse, -inverse @ shift[:, :, None]], 2)
    grid = F.affine_grid(back, list(batch.image.shape), align_corners=False)
    image = F.grid_sample(batch.image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    landmarks = {n: p @ forward.transpose(1, 2).to(p) + shift[:, None].to(p) for n, p in batch.landmarks.items()}
    if "mediapipe_478" in landmarks:
        size = batch.image.shape[-1]
        hull = hull_mask((landmarks["mediapipe_478"] + 1) * (size / 2) - 0.5, size, size)
    else:
        hull = F.grid_sample(batch.hull.float(), grid, mode="nearest", align_corners=False) > 0.5
    return replace(batch, image=image, hull=hull, landmarks=landmarks)
