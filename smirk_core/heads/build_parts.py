# SPDX-License-Identifier: Apache-2.0
"""The parts that MakeHuman lacks or has too coarse: lashes and brows, in metres.

Left parts are built, right parts are their mirror images with turned winding, so that the head is symmetric to
the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Part", "brow_strokes", "flip", "grid_quads", "lash_cards"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3


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


def lash_cards(columns: Floats, lengths: Floats, lean: Floats) -> tuple[Floats, Ints]:
    """Lashes as bent, tapering strips.

    Args:
        columns: (n,) positions along a lid ring, in columns.
        lengths: (n,) metres.
        lean: (n,) sideways lean in radians, positive towards higher columns.

    Returns:
        (5 n, 5): ring position and the factors of (along the ring, away from the opening, outward) in metres and
        a row number (0 root, 1 middle, 2 tip); and (2 n, 4) polygons.
    """
    width = 0.17 * MM
    points, polygons = [], []
    for k, (column, length, angle) in enumerate(zip(columns, lengths, lean, strict=True)):
        side = np.sin(angle) * length
        points += [
            (column, -width, 0.0, 0.0, 0),
            (column, width, 0.0, 0.0, 0),
            (column, side * 0.5 + width * 0.8, 0.12 * length, 0.55 * length, 1),
            (column, side * 0.5 - width * 0.8, 0.12 * length, 0.55 * length, 1),
            (column, side, 0.55 * length, 0.85 * length, 2),
        ]
        i = 5 * k
        polygons += [(i, i + 1, i + 2, i + 3), (i + 3, i + 2, i + 4, -1)]
    return np.array(points), np.array(polygons)


def brow_strokes(count: int = 88, seed: int = 7) -> tuple[Floats, Ints]:
    """The left brow as overlapping hair strokes in the frontal plane.

    Returns:
        (4 count, 2) metres from the eye's centre (+x to the subject's left, +y up), and (count, 4) polygons.
    """
    random = np.random.default_rng(seed)
    along = np.sort((np.arange(count) + random.uniform(-0.4, 0.4, count)) / (count - 1)).clip(0, 1)
    across = random.permuted(np.linspace(-1, 1, count))
    # The arch: head of the brow near the nose, peak over the outer edge of the iris, tail outside.
    knots = np.array([0, 0.18, 0.42, 0.66, 0.85, 1.0])
    middle = np.stack(
        [
            np.interp(along, knots, [-17.5, -12.0, -3.0, 6.5, 13.5, 18.5]),
            np.interp(along, knots, [14.0, 14.8, 16.3, 17.3, 15.9, 13.4]),
        ],
        axis=1,
    )
    thick = np.interp(along, knots, [1.7, 2.5, 2.5, 2.1, 1.4, 0.6])
    slope = np.interp(along, knots, [0.2, 0.15, 0.2, 0.0, -0.32, -0.45])
    normal = np.stack([-np.sin(slope), np.cos(slope)], axis=1)
    root = middle + normal * (across * thick)[:, None]
    # Hairs rise at the head, lie along the arch in the middle and fall on the tail; upper ones bend down.
    direction = np.interp(along, knots, [1.15, 0.75, 0.4, 0.05, -0.35, -0.5]) - 0.28 * across
    direction = direction + random.normal(0, 0.06, count)
    length = np.interp(along, knots, [5.5, 7.5, 8.5, 8.5, 7.0, 4.5]) * random.uniform(0.85, 1.1, count)
    step = np.stack([np.cos(direction), np.sin(direction)], axis=1)
    side = np.stack([-step[:, 1], step[:, 0]], axis=1)
    wide = np.interp(along, [0, 0.1, 0.8, 1], [0.36, 0.5, 0.42, 0.3])[:, None]
    start = root - step * (0.45 * length)[:, None]
    end = root + step * (0.55 * length)[:, None]
    corners = np.stack([start - side * wide, end - side * 0.3 * wide, end + side * 0.3 * wide, start + side * wide], 1)
    polygons = np.arange(4 * count).reshape(count, 4)
    return corners.reshape(-1, 2) * MM, polygons
