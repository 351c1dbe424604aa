# SPDX-License-Identifier: Apache-2.0
"""The wet line between lower lid and eye, and the caruncle in the inner corner: they go with the lids.

Left ones are designed, right ones are their mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_eyes import lid_columns
from .build_parts import grid_quads

__all__ = ["Tears", "design_tears", "place_tears"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
_RISE, _DEPTH = 0.32 * MM, 0.12 * MM  # how far the film climbs the eye, and how deep its edge dives into it
_BLOB = np.array([1.9, 1.5, 0.9]) * MM  # half axes of the caruncle: along the opening, across, outwards
_INWARD = 1.1 * MM  # from the corner to its middle
_ROWS, _AROUND = 4, 10


@dataclass(frozen=True)
class Tears:
    """``columns`` of the lid ring along the lower lid, the ``corner`` column, ``polygons`` and their ``materials``."""

    columns: Ints
    corner: int
    polygons: Ints
    materials: npt.NDArray[np.str_]

    @property
    def count(self) -> int:
        return 3 * len(self.columns) + _ROWS * _AROUND + 2


def design_tears(margin: Floats) -> Tears:
    """From the (28, 3) inner edge of the mean adult's left lid margin."""
    _, lower = lid_columns(margin)
    strip = grid_quads(3, len(lower), closed=False)
    start, n, last = 3 * len(lower), _AROUND, _ROWS
    spin, none = np.arange(n), np.full(n, -1)
    front = np.stack([np.full(n, start), start + 1 + spin, start + 1 + (spin + 1) % n, none], axis=1)
    low = start + 1 + (last - 1) * n
    back = np.stack([np.full(n, start + 1 + last * n), low + (spin + 1) % n, low + spin, none], axis=1)
    blob = np.concatenate([front, start + 1 + grid_quads(last, n, closed=True), back])
    return Tears(
        columns=lower,
        corner=int(np.argmin(margin[:, 0])),
        polygons=np.concatenate([strip, blob]),
        materials=np.array(["tear"] * len(strip) + ["caruncle"] * len(blob)),
    )


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def place_tears(tears: Tears, inner: Floats, outer: Floats, centre: Floats, sign: int) -> Floats:
    """(N, n, 3) vertices on lids.

    Args:
        inner, outer: (N, 28, 3) inner and outer edge of the lid margin.
        centre: (N, 3) of the ball.
        sign: 1 left, -1 right.
    """
    columns, size = tears.columns, inner.shape[1]
    edge, band = inner[:, columns], outer[:, columns]
    out = _unit(edge - centre[:, None])
    along = _unit(inner[:, (columns + 1) % size] - inner[:, (columns - 1) % size])
    up = sign * np.cross(out, along)
    length = np.linalg.norm(edge - centre[:, None], axis=-1, keepdims=True)
    wet = centre[:, None] + _unit(edge + _RISE * up - centre[:, None]) * (length - _DEPTH)
    strip = [wet, edge + 0.3 * _RISE * up + 0.05 * MM * out, edge + 0.3 * (band - edge) + 0.03 * MM * up]

    corner = inner[:, tears.corner]
    beside = (inner[:, (tears.corner + 3) % size] + inner[:, tears.corner - 3]) / 2
    outward = _unit(corner - centre)
    inward = _unit(beside - corner)
    across = _unit(np.cross(outward, inward))
    inward = np.cross(across, outward)
    middle = corner + _INWARD * inward
    middle = centre + _unit(middle - centre) * np.linalg.norm(corner - centre, axis=-1, keepdims=True)
    theta = np.arange(1, _ROWS + 1)[:, None] * np.pi / (_ROWS + 1)
    phi = np.arange(_AROUND) * (2 * np.pi / _AROUND) * np.ones_like(theta)
    ball = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi], axis=-1)
    ball = np.concatenate([[[0, 0, 1.0]], ball.reshape(-1, 3), [[0, 0, -1.0]]]) * _BLOB
    frame = np.stack([inward, sign * across, outward], axis=1)
    blob = middle[:, None] + np.einsum("pk,nkd->npd", ball, frame)
    return np.concatenate([*strip, blob], axis=1)
