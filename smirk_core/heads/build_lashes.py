# SPDX-License-Identifier: Apache-2.0
"""Lashes as curved tufts that grow from the lid margins: fine hairs by their texture, thin thorns without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_brows import card_uvs

__all__ = ["LASH_CELLS", "LASH_WIDTHS", "LOWER", "UPPER", "LashCards", "lash_cards", "place_lashes"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
UPPER, LOWER = 38, 24
LASH_CELLS = (8, 8)  # columns and rows of the texture: one cell a tuft
# Rows of a tuft: half width in mm, and shares of its length (away from the opening, outward from the eyeball).
# Upper lashes leave the margin straight out, sagging a little, and curl up; lower ones bend down at once.
LASH_WIDTHS = np.array([0.30, 0.24, 0.13, 0.03])
_CURVES = {
    "upper": np.array([[0.0, 0.0], [-0.02, 0.36], [0.15, 0.66], [0.44, 0.84]]),
    "lower": np.array([[0.0, 0.0], [0.10, 0.30], [0.28, 0.56], [0.54, 0.74]]),
}
_ROWS = len(LASH_WIDTHS)


@dataclass(frozen=True)
class LashCards:
    """The left eye's lashes: K tufts of eight vertices each.

    Attributes:
        columns: (8 K,) position of the root along the lid ring, in columns.
        offsets: (8 K, 3) metres along the ring, away from the opening, outward from the eyeball.
        polygons: (3 K, 4).
        uvs: (8 K, 2): every tuft has a cell of its own, v from root to tip.
        upper: (K,) True for the upper lid's.
        along: (K,) 0 at the nose to 1 at the temple.
    """

    columns: Floats
    offsets: Floats
    polygons: Ints
    uvs: Floats
    upper: npt.NDArray[np.bool_]
    along: Floats


def lash_cards(outer: int, inner: int, count: int, seed: int = 3) -> LashCards:
    """Both lids' lashes for a margin of ``count`` columns that runs from the top towards the nose.

    Args:
        outer, inner: columns of the corners of the eye.
    """
    random = np.random.default_rng(seed)
    columns, offsets, share = [], [], []
    for lid, number in (("upper", UPPER), ("lower", LOWER)):
        along = (np.arange(number) + 0.5 + random.uniform(-0.28, 0.28, number)) / number
        if lid == "upper":  # from the inner corner over the top to the outer one; none in the very corners
            column = np.interp(along, [0, 1], [inner - 1.4, outer - count + 0.25])
            length = np.interp(along, [0, 0.15, 0.4, 0.7, 0.9, 1], [4.2, 5.8, 7.6, 8.4, 7.8, 6.0])
            lean = np.interp(along, [0, 0.35, 0.6, 1], [0.55, 0.08, -0.25, -0.75])
        else:
            column = np.interp(along, [0, 1], [inner + 2.0, outer - 0.5])
            length = np.interp(along, [0, 0.3, 0.75, 1], [2.2, 3.2, 4.0, 3.2])
            lean = np.interp(along, [0, 0.35, 0.6, 1], [-0.4, 0.05, 0.25, 0.65])
        length = length * random.uniform(0.82, 1.06, number)
        lean = lean + random.normal(0, 0.07, number)
        curve = _CURVES[lid][None] * (length * np.cos(lean))[:, None, None]
        # The lean grows along the hair, so that tufts fan out instead of standing askew.
        side = (np.sin(lean) * length)[:, None] * np.array([0.0, 0.2, 0.55, 1.0])
        wide = LASH_WIDTHS * (1.0 if lid == "upper" else 0.72)
        edge = side[..., None] + np.stack([-wide, wide], axis=-1)  # (K, rows, 2)
        rest = np.broadcast_to(curve[:, :, None], (*edge.shape, 2))
        offsets.append(np.concatenate([edge[..., None], rest], axis=-1))
        columns.append(np.repeat(column, 2 * _ROWS))
        share.append(along)
    total = UPPER + LOWER
    quads = np.array([[0, 1, 3, 2], [2, 3, 5, 4], [4, 5, 7, 6]])
    polygons = 2 * _ROWS * np.arange(total)[:, None, None] + quads
    return LashCards(
        columns=np.asarray(np.concatenate(columns) % count, dtype=np.float64),
        offsets=np.concatenate(offsets).reshape(-1, 3) * MM,
        polygons=polygons.reshape(-1, 4),
        uvs=card_uvs(total, _ROWS, LASH_CELLS).reshape(-1, 2),
        upper=np.arange(total) < UPPER,
        along=np.concatenate(share),
    )


def place_lashes(cards: LashCards, edge: Floats, away: Floats, centre: Floats) -> Floats:
    """(N, n, 3) vertices of the lashes of one eye.

    Args:
        edge: (N, columns, 3) the ring of the lid margin that they grow from; ``away``: a ring further from the opening.
        centre: (N, 3) of the eyeball.
    """
    low = np.floor(cards.columns).astype(int) % edge.shape[1]
    high = (low + 1) % edge.shape[1]
    t = (cards.columns % 1)[None, :, None]

    def between(ring: Floats) -> Floats:
        return ring[:, low] * (1 - t) + ring[:, high] * t

    root = between(edge)
    along = _unit(edge[:, high] - edge[:, low])
    frame = along, _unit(between(away - edge)), _unit(root - centre[:, None])
    return root + sum(axis * cards.offsets[None, :, k, None] for k, axis in enumerate(frame))


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
