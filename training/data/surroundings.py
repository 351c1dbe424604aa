# SPDX-License-Identifier: Apache-2.0
"""What stands around a synthetic head: a room out of focus, and clothes below its neck. Batched, on the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .dice import Dice

__all__ = ["backgrounds", "clothes"]


def _tints(dice: Dice, count: int, amount: float) -> Tensor:
    """(count, 3) around 1: things differ from warm to cool more than from green to magenta."""
    warm = dice.normal(count, 1) * torch.tensor([[1.0, 0.1, -1.0]], device=dice.device)
    return (1 + amount * (0.8 * warm + 0.35 * dice.normal(count, 3))).clamp(0.2, 2)


def backgrounds(dice: Dice, count: int, size: int) -> Tensor:
    """(count, 3, size, size) linear light: walls, large shapes, lamps, clutter, all soft."""
    w = 64
    row, column = torch.meshgrid(*(torch.linspace(0, 1, w, device=dice.device),) * 2, indexing="ij")
    wall = dice.uniform(0.03, 0.7, count, 1) * _tints(dice, count, 0.15)
    lamp = dice.uniform(-0.2, 1.2, count, 2)[..., None, None]
    square = (column - lamp[:, 0]) ** 2 + (row - lamp[:, 1]) ** 2
    falloff = torch.exp(-square / dice.uniform(0.4, 1.5, count)[:, None, None])
    room = wall[..., None, None] * (0.5 + 0.7 * falloff)[:, None]
    for _ in range(7):  # furniture, windows, pictures
        x, y = dice.uniform(-0.2, 1, count, 1, 1), dice.uniform(-0.2, 1, count, 1, 1)
        wide, tall = dice.uniform(0.08, 0.6, count, 1, 1), dice.uniform(0.08, 0.8, count, 1, 1)
        lean = dice.uniform(-0.3, 0.3, count, 1, 1) * dice.coin(0.3, count, 1, 1)
        across = column + lean * row
        inside = (across > x) & (across < x + wide) & (row > y) & (row < y + tall) & dice.coin(0.6, count, 1, 1)
        colour = dice.uniform(0.02, 0.8, count, 1) * _tints(dice, count, 0.35)
        room = torch.where(inside[:, None], 0.3 * room + 0.7 * colour[..., None, None], room)
    for _ in range(3):
        x, y = dice.uniform(0, 1, count, 1, 1), dice.uniform(0, 1, count, 1, 1)
        disc = ((column - x) ** 2 + (row - y) ** 2 < dice.uniform(0.02, 0.07, count, 1, 1) ** 2)[:, None]
        glow = dice.uniform(0.1, 0.7, count, 1) * _tints(dice, count, 0.2) * dice.coin(0.3, count, 1)
        room = room + disc * glow[..., None, None]
    shapes = dice.normal(count, 1, 9, 9) + 0.15 * dice.normal(count, 3, 9, 9)
    clutter = interpolate(shapes, size=w, mode="bicubic", align_corners=False)
    room = room * (1 + dice.uniform(0, 0.35, count, 1, 1, 1) * dice.coin(0.5, count, 1, 1, 1) * clutter)
    soft = room
    for level in (32, 16):  # a third sharp, a third soft, a third far out of focus
        smaller = interpolate(interpolate(room, size=level, mode="area"), size=w, mode="bicubic", align_corners=False)
        soft = torch.where(dice.coin(0.6, count, 1, 1, 1), smaller, soft)
    plain = dice.coin(0.2, count, 1, 1, 1)  # a studio wall
    soft = torch.where(plain, wall[..., None, None] * (0.6 + 0.5 * falloff)[:, None], soft)
    return interpolate(soft, size=size, mode="bilinear", align_corners=False).clamp_min(0.0)


def clothes(dice: Dice, neck: Tensor, half: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """A collar and shoulders.

    Args:
        dice: picks cloth and cut.
        neck: (B, 2) pixels of the throat's pit, where the collar is lowest.
        half: (B,) half of the neck's width in pixels.
        size: of the picture.

    Returns:
        colour (B, 3, S, S) to be lit, and alpha (B, 1, S, S).
    """
    count = len(neck)
    row, column = torch.meshgrid(*(torch.arange(size, device=dice.device).float(),) * 2, indexing="ij")
    across = (column - neck[:, 0, None, None]) / half[:, None, None]
    down = (row - neck[:, 1, None, None]) / half[:, None, None]
    lean = 0.12 * dice.normal(count, 1, 1)
    far = (across + lean * down).abs()
    depth = dice.uniform(0.25, 0.75, count, 1, 1)
    sharp = dice.uniform(1.2, 2.6, count, 1, 1)  # a V neck to a round one
    collar = -depth * (far.clamp(0, 2) / 1.25) ** sharp
    slope = dice.uniform(0.25, 0.45, count, 1, 1)
    shoulder = -depth + slope * (far - 1.25) + 0.05 * (far - 1.9).clamp_min(0) ** 2
    edge = 0.06 * torch.logaddexp(collar / 0.06, shoulder / 0.06)  # the lower of the two, rounded where they meet
    below = down - edge
    alpha = (below * half[:, None, None] / 1.5 + 0.5).clamp(0, 1)
    cloth = dice.uniform(0.01, 0.55, count, 1) * (1 + 0.35 * dice.normal(count, 3)).clamp(0.2, 2)
    folds = interpolate(dice.normal(count, 1, 6, 12), size=size, mode="bicubic", align_corners=False)[:, 0]
    stripes = torch.sin(down * dice.uniform(8, 30, count, 1, 1) + dice.uniform(-1, 1, count, 1, 1) * across * 9)
    pattern = 1 + dice.coin(0.25, count, 1, 1) * dice.uniform(0.1, 0.5, count, 1, 1) * torch.tanh(3 * stripes)
    rim = 1 - 0.4 * torch.exp(-((below / 0.06) ** 2))
    round_ = 1 - 0.14 * (far - 0.6).clamp(0, 3) ** 1.5 / 2
    shade = (1 + 0.09 * folds) * rim * round_ * pattern
    return cloth[..., None, None] * shade[:, None].clamp_min(0.05), alpha[:, None]
