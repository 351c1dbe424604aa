# SPDX-License-Identifier: Apache-2.0
"""The tongue of the open head, at rest and stuck out, in the frame of the mouth (:mod:`.build_mouth`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from .build_mouth import MouthPart
from .build_parts import flip, grid_quads

__all__ = ["tongue", "tongue_out"]

Floats = npt.NDArray[np.floating[Any]]
MM = 1e-3
# Around the tongue: (across, up) of a unit cross-section, from its left edge over the back to the right and below.
_TONGUE_RING = np.array([
    (1, 0), (0.88, 0.55), (0.58, 0.86), (0.24, 0.99), (0, 1), (-0.24, 0.99), (-0.58, 0.86), (-0.88, 0.55),
    (-1, 0), (-0.84, -0.6), (-0.56, -0.88), (-0.26, -1), (0, -1), (0.26, -1), (0.56, -0.88), (0.84, -0.6),
])  # fmt: skip
_GROOVE = np.array([0, 0, 0.05, 0.62, 1.0, 0.62, 0.05, 0, 0, 0, 0, 0, 0, 0, 0, 0])
_TONGUE_STATIONS = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.58, 0.66, 0.73, 0.8, 0.86, 0.91, 0.945, 0.97, 0.988])
# Knots from root to tip in mm: where, (y, z) of the middle, half the width, half the thickness, curl and groove.
_Shape = tuple[tuple[float, ...], ...]
_REST: _Shape = (
    (0.0, -13.0, -70.0, 13.0, 8.0, 0.0, 0.0),
    (0.25, -8.0, -56.0, 15.5, 9.0, 0.0, 0.4),
    (0.5, -5.5, -40.0, 15.5, 8.6, 0.0, 1.8),
    (0.75, -5.2, -24.0, 13.0, 6.6, 0.0, 1.9),
    (0.9, -5.4, -15.0, 10.4, 4.2, 0.0, 1.0),
    (1.0, -5.6, -10.0, 8.0, 2.6, 0.0, 0.5),
)
_OUT: _Shape = (
    (0.0, -13.0, -70.0, 13.0, 8.0, 0.0, 0.0),
    (0.25, -8.0, -54.0, 15.5, 8.6, 0.0, 0.4),
    (0.5, -2.2, -31.0, 14.5, 6.6, 0.8, 1.2),
    (0.68, 4.6, -8.0, 12.0, 3.0, 1.8, 1.1),
    (0.78, 6.6, 5.0, 11.6, 2.4, 2.4, 0.9),
    (0.88, 4.8, 16.0, 11.8, 2.7, 1.0, 1.1),
    (1.0, -5.0, 25.0, 10.5, 2.2, 0.0, 0.6),
)


def _tongue_points(shape: _Shape) -> Floats:
    """(233, 3) mm: rings from the root to the tip and the nine vertices that close the tip."""
    knots = np.array(shape)
    at = PchipInterpolator(knots[:, 0], knots[:, 1:])
    values = at(_TONGUE_STATIONS)
    slope = at.derivative()(_TONGUE_STATIONS)[:, :2]
    ahead = slope / np.linalg.norm(slope, axis=1, keepdims=True)
    up = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)  # in (y, z)
    # The tip is round: the last stations shrink like a quarter circle.
    close = np.sqrt(np.clip(1 - ((_TONGUE_STATIONS - 0.86) / 0.142).clip(0, 1) ** 2, 0, 1))
    thin = np.sqrt(np.clip(1 - ((_TONGUE_STATIONS - 0.93) / 0.074).clip(0, 1) ** 2, 0, 1))
    half, thick = values[:, 2] * close, values[:, 3] * thin
    across, high = _TONGUE_RING.T
    x = half[:, None] * across
    lift = thick[:, None] * high - values[:, 5, None] * close[:, None] * _GROOVE + values[:, 4, None] * across**2
    ring = np.stack([x, *np.moveaxis(values[:, None, :2] + lift[..., None] * up[:, None], -1, 0)], axis=-1)
    # Perimeter of a 4 x 4 grid: its middle closes the tip.
    flat, tip = ring[-1].mean(axis=0), at(1.0)[:2]
    v, u = (k.ravel() for k in np.meshgrid([0.5, 0, -0.5], [0.5, 0, -0.5], indexing="ij"))
    bulge = 1 - 0.5 * (u * u + v * v)
    middle = np.zeros((9, 3))
    middle[:, 0] = u * half[-1]
    middle[:, 1:] = flat[1:] + (tip - flat[1:]) * bulge[:, None] + (v * thick[-1])[:, None] * up[-1]
    return np.concatenate([ring.reshape(-1, 3), middle])


def tongue() -> MouthPart:
    """The tongue at rest, its root open towards the throat; place it with the lower teeth."""
    stations, around = len(_TONGUE_STATIONS), len(_TONGUE_RING)
    body = grid_quads(stations, around, closed=True)
    start, inner = (stations - 1) * around, stations * around
    # The 5 x 5 grid of the tip: ring corners at 2, 6, 10 and 14.
    grid = np.zeros((5, 5), int)
    grid[0], grid[4] = start + np.array([2, 3, 4, 5, 6]), start + np.array([14, 13, 12, 11, 10])
    grid[1:4, 0], grid[1:4, 4] = start + np.array([1, 0, 15]), start + np.array([7, 8, 9])
    grid[1:4, 1:4] = inner + np.arange(9).reshape(3, 3)
    cap = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=-1).reshape(-1, 4)
    points = _tongue_points(_REST)
    polygons = np.concatenate([flip(body), cap])
    ring_mirror = (8 - np.arange(around)) % around
    mirror = (np.arange(stations)[:, None] * around + ring_mirror).ravel()
    cap_mirror = inner + np.arange(9).reshape(3, 3)[:, ::-1].ravel()
    return MouthPart(
        points=points * MM,
        polygons=polygons,
        materials=np.full(len(polygons), "tongue"),
        mirror=np.concatenate([mirror, cap_mirror]),
    )


def tongue_out() -> Floats:
    """(n, 3) metres that the vertices of :func:`tongue` move to be stuck out, over the lower teeth and lip."""
    return (_tongue_points(_OUT) - _tongue_points(_REST)) * MM
