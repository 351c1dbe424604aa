# SPDX-License-Identifier: Apache-2.0
"""Spots on the skin: pores, freckles, moles, follicles. Each is a small soft ellipse in texels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .surface import SkinTexels

__all__ = ["scatter_dots", "scatter_places"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def scatter_places(skin: SkinTexels, chance: Floats, number: int, random: np.random.Generator) -> Ints:
    """(number,) rows of ``skin``'s texels, drawn evenly over the head's surface times ``chance`` (N,)."""
    weight = np.cumsum(np.maximum(chance, 0) / np.maximum(skin.density, 1.0) ** 2, dtype=np.float64)
    if number <= 0 or weight[-1] <= 0:
        return np.zeros(0, np.int64)
    return np.searchsorted(weight, random.uniform(0, weight[-1], number)).clip(0, len(weight) - 1)


def even_number(skin: SkinTexels, chance: Floats, per_square_metre: float) -> int:
    """How many marks there are at a density per square metre times ``chance``."""
    return int((np.maximum(chance, 0) / np.maximum(skin.density, 1.0) ** 2).sum() * per_square_metre)


def scatter_dots(
    skin: SkinTexels, rows: Ints, radius: Floats, strength: Floats, random: np.random.Generator, *, edge: float = 2.0
) -> Floats:
    """(N,) float32 sum of soft ellipses.

    Args:
        rows: (n,) texels in whose middle, about, they sit.
        radius: (n,) metres, where they have ``exp(-1)`` of their strength. strength: (n,).
        edge: 2 is a bell, larger values are flatter with a harder edge.
    """
    size = skin.size
    canvas = np.zeros(size * size, np.float32)
    if len(rows) == 0:
        return canvas[skin.texels]
    pixels = np.asarray(radius, np.float32) * skin.density[rows]
    # Nothing finer than a texel can be drawn: it becomes one texel wide and weaker.
    fine = np.maximum(pixels, 0.55)
    strength = np.asarray(strength, np.float32) * (pixels / fine) ** 2
    centre = np.stack([skin.texels[rows] % size, skin.texels[rows] // size], axis=1) + random.uniform(
        -0.5, 0.5, (len(rows), 2)
    ).astype(np.float32)
    angle, long = random.uniform(0, np.pi, len(rows)), random.uniform(1.0, 1.45, len(rows)).astype(np.float32)
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    reach = np.ceil(fine * long * (2.2 if edge <= 2 else 1.6)).astype(int)
    for bound in np.unique(2 ** np.ceil(np.log2(reach)).astype(int)):
        own = np.flatnonzero((reach <= bound) & (2 * reach > bound))
        steps = np.arange(-bound, bound + 1)
        dx, dy = (g.ravel() for g in np.meshgrid(steps, steps))
        for part in np.array_split(own, max(1, len(own) * len(dx) // 4_000_000)):
            middle = np.rint(centre[part]).astype(int)
            x, y = middle[:, :1] + dx, middle[:, 1:] + dy
            ox, oy = x - centre[part, :1], y - centre[part, 1:]
            along = (ox * turn[part, :1] + oy * turn[part, 1:]) / (fine[part] * long[part])[:, None]
            across = (oy * turn[part, :1] - ox * turn[part, 1:]) / (fine[part] / long[part])[:, None]
            value = strength[part, None] * np.exp(-(np.hypot(along, across) ** edge))
            whole = (x >= 0) & (x < size) & (y >= 0) & (y < size)
            np.add.at(canvas, (y * size + x)[whole], value[whole].astype(np.float32))
    return canvas[skin.texels]
