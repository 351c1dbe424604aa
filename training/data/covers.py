# SPDX-License-Identifier: Apache-2.0
"""Things in front of faces: soft-edged shapes in plain colours or with the texture of another picture of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from .dice import Dice

__all__ = ["covered", "soft_shapes"]


def covered(image: Tensor, hull: Tensor, dice: Dice, chance: float, largest: float = 0.45) -> Tensor:
    """Some pictures with a cover.

    Args:
        image: (B, 3, S, S) in [0, 1].
        hull: (B, 1, S, S) bool, the face; a cover's middle lies in its bounding box.
        chance: of a picture to be covered.
        largest: half axis of a cover over the size of the face's box; the smallest has a quarter of it.

    Returns:
        (B, 3, S, S). Landmarks, hull and truth stay: the face is still there, and the encoder is to know it.
    """
    hit = dice.coin(chance, len(image))
    other = image.roll(1, 0).flip(-2)  # a neighbour's picture upside down: real texture that is no face there
    if image.device.type != "cpu":  # see photo_noise
        return torch.where(hit[:, None, None, None], _cover(image, other, hull, dice, largest), image)
    rows = hit.nonzero()[:, 0]
    if not len(rows):
        return image
    return image.index_copy(0, rows, _cover(image[rows], other[rows], hull[rows], dice, largest))


def _cover(image: Tensor, other: Tensor, hull: Tensor, dice: Dice, largest: float) -> Tensor:
    """A cover on each picture."""
    batch, _, size, _ = image.shape
    line = torch.linspace(-1, 1, size, device=image.device)
    low_x, high_x = _extent(hull.any(2)[:, 0], line)
    low_y, high_y = _extent(hull.any(3)[:, 0], line)
    box = torch.maximum(high_x - low_x, high_y - low_y) / 2

    def within(low: Tensor, high: Tensor) -> Tensor:
        return low + (high - low) * dice.uniform(0, 1, batch)

    x, y = within(low_x, high_x), within(low_y, high_y)
    long = 2 * box * dice.uniform(largest / 4, largest, batch)
    flat = dice.uniform(0.3, 1, batch)
    angle = dice.uniform(0, torch.pi, batch)
    mask = soft_shapes(line, x, y, long, long * flat, angle, dice, 0.02)

    plain = dice.uniform(0, 1, batch, 3, 1, 1) + 0.04 * dice.normal(batch, 1, size, size)
    paint = torch.where(dice.coin(0.5, batch, 1, 1, 1), other, plain.clamp(0, 1))
    return image + mask * (paint - image)


def soft_shapes(
    line: Tensor, x: Tensor, y: Tensor, long: Tensor, wide: Tensor, angle: Tensor, dice: Dice, hardest: float
) -> Tensor:
    """(B, 1, S, S) in [0, 1]: ovals and boxes, half of each, with soft edges.

    Args:
        line: (S,) coordinates of the pixels along an axis.
        x, y: (B,) middles; ``long``, ``wide``: half axes; ``angle``: radians.
        hardest: share of a shape that its hardest edge is soft over.
    """
    dx, dy = line[None, None] - x[:, None, None], line[None, :, None] - y[:, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along = (cos * dx + sin * dy) / long[:, None, None]
    across = (cos * dy - sin * dx) / wide[:, None, None]
    round_, square = (along**2 + across**2).sqrt(), torch.maximum(along.abs(), across.abs())
    reach = torch.where(dice.coin(0.5, len(x), 1, 1), round_, square)
    soft = dice.uniform(hardest, 0.15, len(x), 1, 1)
    return ((1 - reach) / soft + 0.5).clamp(0, 1)[:, None]


def _extent(seen: Tensor, line: Tensor) -> tuple[Tensor, Tensor]:
    """(B, S) bool along an axis to its first and last place, (B,) in [-1, 1]; all of it where nothing is seen."""
    seen = seen | ~seen.any(1, keepdim=True)
    return torch.where(seen, line, 2.0).amin(1), torch.where(seen, line, -2.0).amax(1)
