# SPDX-License-Identifier: Apache-2.0
"""Pictures for hair: strands for strips, and dots and short strokes for caps. Drawn, never photographed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .cards import CARD_COLUMNS
from .tufts import HAIR_COLOURS

__all__ = ["cap_picture", "strand_picture"]

Floats = npt.NDArray[np.floating[Any]]
Pixels = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]


def strand_picture(colour: Colour, grey: float = 0.0, seed: int = 3, size: tuple[int, int] = (256, 384)) -> Pixels:
    """(H, W, 4) sRGB and straight alpha: strips beside each other, roots at the bottom; dense there, open at the tips.

    Args:
        colour: sRGB of the hair; grey: share of strands that have lost it.
    """
    wide, tall = size
    each = wide // CARD_COLUMNS
    random = np.random.default_rng(seed)
    v = ((np.arange(tall) + 0.5) / tall)[:, None].astype(np.float32)
    x = (np.arange(each) + 0.5)[None].astype(np.float32)
    light = np.full((tall, wide), 0.78, np.float32)
    alpha = np.zeros((tall, wide), np.float32)
    white = np.zeros((tall, wide), np.float32)
    for column in range(CARD_COLUMNS):
        part = slice(column * each, (column + 1) * each)
        for _ in range(34):
            start = random.uniform(1, each - 1)
            sway, wave = random.normal(0, 0.09) * each, random.normal(0, 0.05) * each
            middle = start + sway * v**1.5 + wave * np.sin(random.uniform(4, 8) * v + random.uniform(0, 6))
            middle = np.clip(middle, 1.2, each - 1.2)
            end = random.uniform(0.55, 1.0) ** 0.6
            half = random.uniform(0.7, 1.9) * (1 - 0.6 * np.clip(v / end, 0, 1) ** 3)
            cover = np.clip(half + 0.5 - np.abs(x - middle), 0, 1) * (v < end)
            over = cover > np.maximum(alpha[:, part] * random.uniform(0.2, 1.0), 0.02)
            shade = random.uniform(0.62, 1.32) * (0.85 + 0.25 * v)
            light[:, part] = np.where(over, shade, light[:, part])
            white[:, part] = np.where(over, float(random.random() < grey), white[:, part])
            alpha[:, part] = np.maximum(alpha[:, part], cover)
    return _coloured(colour, light, white, alpha)[::-1]


def cap_picture(
    colour: Colour, grey: float = 0.0, cover: float = 1.0, seed: int = 4, size: tuple[int, int] = (256, 256)
) -> Pixels:
    """(H, W, 4) sRGB and straight alpha that repeats sideways: bare at the bottom, grown over at the top.

    Args:
        cover: 1 where the skin is hidden in the end, less for stubble that it shines through.
    """
    wide, tall = size
    random = np.random.default_rng(seed)
    count = 1500
    light = np.full((tall, wide), 0.8, np.float32)
    ground = np.clip((np.arange(tall) / tall - 0.08) / 0.5, 0, 1)[:, None] ** 1.3
    ground = ground * (0.97 if cover >= 1 else 0.32 * cover)
    alpha = np.broadcast_to(ground, (tall, wide)).astype(np.float32).copy()
    white = np.zeros((tall, wide), np.float32)
    # Short strokes, drawn point by point: every point of every stroke at once.
    long = 16 if cover >= 1 else 5
    root = random.uniform(0, 1, (count, 2)) * [wide, tall]
    keep = random.random(count) < np.clip(root[:, 1] / tall / 0.35, 0.0, 1) ** 0.8
    root, s = root[keep], np.arange(long)[None]
    lean = random.normal(0, 0.25, (len(root), 1))
    columns = (root[:, :1] + lean * s).astype(int) % wide
    rows = np.clip(root[:, 1:] + s, 0, tall - 1).astype(int)
    light[rows, columns] = random.uniform(0.5, 1.2, (len(root), 1)) + 0 * s
    white[rows, columns] = (random.random((len(root), 1)) < grey) + 0 * s
    alpha[rows, columns] = np.maximum(alpha[rows, columns], min(1.0, 0.35 + cover))
    return _coloured(colour, light, white, alpha)[::-1]


def _coloured(colour: Colour, light: Floats, white: Floats, alpha: Floats) -> Pixels:
    own = np.asarray(colour, np.float32)
    bleached = 0.9 * np.asarray(HAIR_COLOURS["white"], np.float32)
    rgb = np.where(white[..., None] > 0.5, bleached, own) * light[..., None]
    return np.rint(255 * np.clip(np.concatenate([rgb, alpha[..., None]], axis=-1), 0, 1)).astype(np.uint8)
