# SPDX-License-Identifier: Apache-2.0
"""Eyebrows as tufts on the skin: cards with a texture of hairs, whose outline alone still reads as strokes of hair.

Where they grow was calibrated on real portraits (108 to 148 frontal ones, both brows, scaled to 58.2 mm between the
irises) in two ways that renders of this head went through as well: the height of the darkest line, and where the
landmark detector puts its ten points of a brow. The middle line below is where renders and photographs agree best
(the two ways differ by a millimetre), stated on the adult that the parts are designed on; the mean head's lies
1.1 mm nearer to its eyes. At half its darkness a brow is 5 mm thick over the eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BROW_CELLS", "BROW_WIDTHS", "BrowCards", "brow_cards", "card_uvs", "place_brow"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
BROW_CELLS = (8, 9)  # columns and rows of the texture: one cell a tuft
ROWS = 3
# Along the brow from its head at the nose to its tail: the middle line, half its thickness, how far hairs turn up
# from the line at their root (radians), their length; mm from the eye's centre, x to the outside.
_ALONG = np.array([0.0, 0.12, 0.3, 0.46, 0.62, 0.76, 0.89, 1.0])
_X = (-15.8, -11.6, -5.2, 0.6, 6.6, 11.8, 16.6, 20.6)
_Y = (14.0, 14.7, 15.6, 16.0, 16.1, 15.6, 14.1, 11.3)
_HALF = (1.5, 2.2, 2.4, 2.2, 1.9, 1.5, 1.0, 0.45)
_TURN = (1.05, 0.85, 0.5, 0.32, 0.22, 0.14, 0.08, 0.05)
_LENGTH = (6.0, 7.5, 8.5, 8.5, 8.5, 8.0, 7.0, 5.0)
_LIFT = np.array([0.12, 0.62, 0.5])  # mm over the skin at root, middle, tip
BROW_WIDTHS = np.array([0.27, 0.36, 0.07])  # half of it at root, middle and tip, mm


@dataclass(frozen=True)
class BrowCards:
    """The left brow: K tufts of six vertices each.

    Attributes:
        points: (6 K, 2) metres from the eye's centre in the frontal plane, +x to the subject's left, +y up.
        lifts: (6 K,) metres over the skin.
        polygons: (2 K, 4).
        uvs: (6 K, 2): every tuft has a cell of its own, v from root to tip.
        along: (K,) 0 at the nose to 1 at the temple; ``across``: (K,) -1 at the lower edge to 1 at the upper.
    """

    points: Floats
    lifts: Floats
    polygons: Ints
    uvs: Floats
    along: Floats
    across: Floats


def card_uvs(count: int, rows: int, cells: tuple[int, int], inset: float = 0.06) -> Floats:
    """(count, rows, 2, 2) texture points of strips: column by column of cells, the root at each cell's bottom."""
    columns, lines = cells
    if count > columns * lines:
        raise ValueError(f"{count} strips do not fit into {columns} x {lines} cells")
    k = np.arange(count)
    corner = np.stack([k % columns, lines - 1 - k // columns], axis=-1)[:, None, None, :]
    u = np.array([inset, 1 - inset])[None, None, :]
    v = np.linspace(0.02, 0.98, rows)[None, :, None]
    place = np.stack(np.broadcast_arrays(u, v), axis=-1)
    return (corner + place) / [columns, lines]


def brow_cards(count: int = 72, seed: int = 7) -> BrowCards:
    """Tufts evenly over the brow, a little out of order, as hair is."""
    random = np.random.default_rng(seed)
    # Golden-ratio rows: even along and across at once, without lines that the eye would find.
    step = (np.arange(count) + 0.5) / count
    along = np.clip(step + random.uniform(-0.25, 0.25, count) / count, 0, 1)
    across = 2 * ((np.arange(count) * 0.6180339887 + 0.31) % 1) - 1

    def at(values: tuple[float, ...] | Floats, where: Floats = along) -> Floats:
        return np.interp(where, _ALONG, values)

    middle = np.stack([at(_X), at(_Y)], axis=1)
    ahead = np.stack([at(_X, along + 0.02), at(_Y, along + 0.02)], axis=1)
    behind = np.stack([at(_X, along - 0.02), at(_Y, along - 0.02)], axis=1)
    tangent = np.arctan2(*(ahead - behind)[:, ::-1].T)
    normal = np.stack([-np.sin(tangent), np.cos(tangent)], axis=1)
    centre = middle + normal * (0.86 * across * at(_HALF))[:, None]
    # Hairs of the lower edge rise, those of the upper edge bend down onto them, all lie along the line at their tips.
    turn = at(_TURN) - 0.3 * np.clip(across, -0.6, 1) + random.normal(0, 0.11, count)
    length = at(_LENGTH) * random.uniform(0.78, 1.1, count)
    angles = tangent[:, None] + turn[:, None] * np.array([1.0, 0.35])  # of the two pieces of the strip
    pieces = 0.5 * length[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    line = np.cumsum(np.concatenate([np.zeros((count, 1, 2)), pieces], axis=1), axis=1)
    line += (centre - 0.5 * line[:, 1] - 0.35 * line[:, 2])[:, None]
    across_line = np.stack([pieces[:, 0], pieces.sum(axis=1), pieces[:, 1]], axis=1)
    across_line /= np.linalg.norm(across_line, axis=-1, keepdims=True)
    side = np.stack([-across_line[..., 1], across_line[..., 0]], axis=-1)
    wide = (BROW_WIDTHS * at((0.8, 1, 1, 1, 0.95, 0.85, 0.7, 0.55))[:, None])[..., None]
    strip = np.stack([line - side * wide, line + side * wide], axis=2)  # (K, rows, 2, 2)
    # Later tufts lie over earlier ones, as hair overlaps outwards.
    lifts = np.broadcast_to(_LIFT[None, :, None] + 0.12 * random.random((count, 1, 1)), (count, ROWS, 2))
    corner = 6 * np.arange(count)[:, None, None] + np.array([[0, 2, 3, 1], [2, 4, 5, 3]])
    return BrowCards(
        points=strip.reshape(-1, 2) * MM,
        lifts=lifts.reshape(-1) * MM,
        polygons=corner.reshape(-1, 4),
        uvs=card_uvs(count, ROWS, BROW_CELLS).reshape(-1, 2),
        along=along,
        across=across,
    )


def place_brow(skin: Floats, corners: Ints, weights: Floats, lifts: Floats, sign: int) -> Floats:
    """(N, n, 3) vertices of a brow on (N, S, 3) skin.

    Args:
        corners, weights: (n, 3) triangle and barycentric weights under each vertex.
        lifts: (n,) metres along the triangle's normal; ``sign`` is -1 where the corners are a mirror image's.
    """
    a, b, c = (skin[:, corners[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal *= sign / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    w = weights[None]
    return a * w[..., 0:1] + b * w[..., 1:2] + c * w[..., 2:3] + normal * lifts[None, :, None]
