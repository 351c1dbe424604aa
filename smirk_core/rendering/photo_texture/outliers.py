# SPDX-License-Identifier: Apache-2.0
"""What a picture shows that is not skin: glare, and hair, glasses, hats and hands in front of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .colour import brightness, from_log, to_log
from .surface import SkinSurface, carry, step
from .texture_grid import mirror_places, sampled, scattered

__all__ = ["occluded", "without_glare"]

Floats = npt.NDArray[np.floating[Any]]
_GRAIN = 0.0012  # metres: what is smaller (a mole, a lash, noise) is no occluder
_GLARE = 0.85  # share of the glare that is taken off
_SHINE = 0.65  # share that is taken off of what is too bright still
_MOST = 0.55  # of a colour that may be glare


def _grown(surface: SkinSurface, amount: Floats, metres: float) -> Floats:
    """(T,) the largest amount (T,) within a distance: the edge of hair is half hair."""
    block = 1
    while block * 2 <= 0.5 * metres * surface.density and surface.size % (block * 2) == 0:
        block *= 2
    small = surface.size // block
    row, column = np.divmod(surface.texels, surface.size)
    cell = (row // block) * small + column // block
    grid = np.zeros(small * small, np.float32)
    np.maximum.at(grid, cell, amount)
    grid = grid.reshape(small, small)
    for _ in range(max(1, round(metres * surface.density / block))):
        for axis in (0, 1):
            padded = np.pad(grid, [(1, 1) if a == axis else (0, 0) for a in range(2)])
            grid = np.maximum(grid, 0.96 * np.maximum(padded.take(range(small), axis),
                                                      padded.take(range(2, small + 2), axis)))  # fmt: skip
    return np.maximum(amount, grid.ravel()[cell])


def _grained(surface: SkinSurface, values: Floats, weight: Floats, metres: float) -> Floats:
    """(T, C) values (T, C) averaged over blocks of texels of about that size and their neighbours."""
    block = 1
    while block * 2 <= metres * surface.density and surface.size % (block * 2) == 0:
        block *= 2
    small = surface.size // block
    row, column = np.divmod(surface.texels, surface.size)
    cell = (row // block) * small + column // block
    sums = [np.bincount(cell, v, small * small) for v in (weight, *(weight * values.T))]
    grid = np.stack(sums, axis=-1).reshape(small, small, -1)
    for axis in (0, 1):
        padded = np.pad(grid, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        grid = padded.take(range(small), axis) + 2 * grid + padded.take(range(2, small + 2), axis)
    flat = grid.reshape(small * small, -1)
    return (flat[:, 1:] / np.maximum(flat[:, :1], 1e-9)).astype(np.float32)[cell]


def occluded(surface: SkinSurface, log: Floats, weight: Floats, skin: Floats, *, brows: bool) -> Floats:
    """(T,) 0..1 how surely a texel shows something else than skin.

    Dark or foreign colours count on forehead, cheeks and nose, more strictly at the rim of the face, on ears and neck;
    not at eyes, mouth and beard, where skin has them itself, and at brows only where they are to vanish.

    Args:
        log: (T, 3) colours without light; weight: (T,) trust so far; skin: (V, 3) the likely skin.
    """
    likely = carry(skin, surface.corners, surface.shares)
    difference = _grained(surface, log - likely, weight, _GRAIN)
    bright = brightness(difference)
    hue = np.sqrt(((difference - bright[:, None]) ** 2).mean(axis=1))
    frame = surface.frame
    strict = np.maximum(surface.rim, surface.region("ears", "neck"))
    eye = np.exp(-0.5 * (((np.abs(frame[:, 0]) - 0.5) / 0.28) ** 2 + ((frame[:, 1] + 0.02) / 0.16) ** 2))
    plain = surface.plain if brows else np.maximum(surface.plain, surface.brows)
    tinted = np.maximum(surface.plain, step(0.05, 0.3, surface.brows))  # brows are dark, never blue
    fields = np.stack([plain, tinted, strict, eye], axis=1)
    plain_at, tinted_at, strict_at, eye_at = carry(fields, surface.corners, surface.shares).T
    loose = np.maximum(step(0.4, 0.75, -bright) * plain_at, step(0.14, 0.28, hue) * plain_at)
    loose = np.maximum(loose, step(0.25, 0.4, hue) * tinted_at)
    loose = np.maximum(loose, step(0.45, 0.9, bright) * tinted_at)  # a pale hat, a wall
    tight = np.maximum.reduce([step(0.25, 0.5, np.abs(bright)), step(0.07, 0.16, hue)]) * strict_at
    liner = (
        np.maximum(step(0.7, 1.2, -bright), step(0.18, 0.32, hue)) * eye_at
    )  # lashes and dark frames; the head has lashes of its own
    uneven = _darker_than_mirrored(surface, bright, weight) * step(0.12, 0.3, -bright) * tinted_at
    return _grown(surface, np.maximum.reduce([loose, tight, liner, uneven]), 0.003)


def _darker_than_mirrored(surface: SkinSurface, bright: Floats, weight: Floats) -> Floats:
    """(T,) 0..1 how much darker a texel is than its mirror image: a lock of hair lies on one side."""
    places = mirror_places(surface)
    if places is None:
        return np.zeros_like(bright)
    other = sampled(scattered(surface, np.stack([bright, weight], axis=1)), places)
    return step(0.25, 0.5, other[:, 0] - bright) * step(0.2, 0.5, other[:, 1])


def without_glare(surface: SkinSurface, log: Floats, weight: Floats, skin: Floats) -> tuple[Floats, Floats]:
    """Take highlights off.

    Method: the dichromatic model (Shafer 1985). A colour is m times the skin's own hue plus g times the lamp's, white;
    g beyond what is usual in this face, where it is brighter than the face should be, is subtracted.

    Args:
        log: (T, 3) colours without light; weight: (T,) trust so far; skin: (V, 3) the likely skin.

    Returns:
        Colours (T, 3) and trust (T,), less where glare hid the skin.
    """
    likely = carry(skin, surface.corners, surface.shares)
    light = _grained(surface, from_log(log), weight, 0.0008)
    hue = np.exp(likely)
    hue /= hue.mean(axis=1, keepdims=True)
    over = brightness(to_log(light) - likely)
    # Least squares for (m, g): hue . hue = a, hue . 1 = 3, 1 . 1 = 3.
    a = (hue * hue).sum(axis=1)
    across, total = (light * hue).sum(axis=1), light.sum(axis=1)
    determinant = 3 * a - 9
    good = determinant > 0.02  # grey pictures have no hue
    safe = np.where(good, determinant, 1.0)
    matte, gloss = (3 * across - 3 * total) / safe, (a * total - 3 * across) / safe
    level = total / 3
    share = np.where(good, gloss / np.maximum(level, 1e-6), 0.0)
    usual = good & (weight > 0.5) & (np.abs(over) < 0.15)
    base = float(np.median(share[usual])) if usual.sum() > 100 else 0.0
    share = np.clip(share - base, 0, _MOST) * step(0.04, 0.25, over) * (matte > 0)
    plain = carry(np.maximum(surface.plain, 0.5), surface.corners, surface.shares)
    amount = (_GLARE * share * level * plain)[:, None]
    colour = from_log(log)
    log = to_log(np.maximum(colour - amount, (1 - _MOST) * colour))
    # A highlight near the sensor's end has no hue of its own left.
    level = brightness(log)[:, None]
    hueless = (step(0.03, 0.25, share) * plain)[:, None]
    log += hueless * (likely - brightness(likely)[:, None] - (log - level))
    # What is still brighter than any skin here is the rim of a highlight, or light that lies on the shine.
    over = brightness(_grained(surface, log - likely, weight, 0.0024))
    log -= (_SHINE * np.maximum(over - 0.1, 0) * plain)[:, None]
    return log, weight * (1 - 0.5 * step(0.3, 0.55, share))
