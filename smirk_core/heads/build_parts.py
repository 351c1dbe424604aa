# SPDX-License-Identifier: Apache-2.0
"""What the parts that MakeHuman lacks or has too coarse have in common.

Left parts are built, right parts are their mirror images with turned winding, so that the head is symmetric to
the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Part", "flip", "grid_quads"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Part:
    """A piece of mesh: ``points`` (n, 3 or what its maker says), ``polygons`` (P, 4), ``materials`` (P,) names."""

    points: Floats
    polygons: Ints
    materials: npt.NDArray[np.str_]


def flip(polygons: Ints) -> Ints:
    """Turn the winding of quads and of triangles (-1 in the last column)."""
    triangle = polygons[:, 3] < 0
    turned = polygons[:, ::-1].copy()
    turned[triangle] = np.concatenate([polygons[triangle][:, 2::-1], polygons[triangle][:, 3:]], axis=1)
    return turned


def grid_quads(rows: int, columns: int, closed: bool) -> Ints:
    """Quads of a (rows, columns) grid of vertices, wound so that row x column points outward."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (c + 1) % columns
    quads = [r * columns + c, (r + 1) * columns + c, (r + 1) * columns + right, r * columns + right]
    return np.stack(quads, axis=-1).reshape(-1, 4)
