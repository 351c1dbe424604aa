# SPDX-License-Identifier: Apache-2.0
"""The eyeball as a mesh of its own: white, concave iris and pupil, and the cornea as a clear shell in front.

The measures are textbook means of adults: a visible iris of 11.7 mm (Rüfer et al. 2005), a cornea of 8.2 mm radius,
which makes a cap of 2.45 mm, and a pupil's plane 3 mm behind its apex. The shell is open: its edge dives under the
white, so that no rim shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_parts import Part, grid_quads

__all__ = ["EYE_RADIUS", "EYE_SEGMENTS", "IRIS_RADIUS", "corneal_reach", "eyeball"]

Floats = npt.NDArray[np.floating[Any]]
EYE_SEGMENTS = 40
MM = 1e-3
EYE_RADIUS = 12.3 * MM
IRIS_RADIUS = 5.85 * MM
_CORNEA_RADIUS = 8.2  # all below in mm, of a ball of EYE_RADIUS
_BALL, _IRIS = EYE_RADIUS / MM, IRIS_RADIUS / MM
_LIMBUS = np.sqrt(_BALL**2 - _IRIS**2)  # height of the plane of the limbus over the ball's centre
_MIDDLE = _LIMBUS - np.sqrt(_CORNEA_RADIUS**2 - _IRIS**2)  # centre of the cornea's sphere
_APEX = _MIDDLE + _CORNEA_RADIUS
# (distance from the axis, height) of the iris from the limbus to the pupil's edge, and of the pupil's well.
_IRIS_PROFILE = (
    (5.80, _LIMBUS - 0.12), (5.62, _LIMBUS - 0.30), (5.2, _LIMBUS - 0.36), (4.4, _LIMBUS - 0.44),
    (3.5, _LIMBUS - 0.50), (2.6, _LIMBUS - 0.53), (1.9, _LIMBUS - 0.52), (1.70, _LIMBUS - 0.56),
)  # fmt: skip
_PUPIL_PROFILE = ((1.62, _LIMBUS - 0.75), (0.9, _LIMBUS - 0.85))
# Degrees from the axis of the rings of the white, from the limbus to the back.
_LIMBUS_ANGLE = float(np.degrees(np.arcsin(_IRIS / _BALL)))
_WHITE = (_LIMBUS_ANGLE, 30.0, 33.5, 38.5, 45.0, 53.0, 63.0, 77.0, 97.0, 125.0, 153.0)
_CORNEA = (5.78, 5.5, 5.0, 4.3, 3.4, 2.4, 1.3)  # distances from the axis of the shell's rings


def corneal_reach(angle: Floats) -> Floats:
    """How far eye or cornea reach from the ball's centre, in radii, at an ``angle`` (radians) from the axis."""
    cosine, offset = np.cos(angle), _MIDDLE / _BALL
    root = np.maximum((_CORNEA_RADIUS / _BALL) ** 2 - offset**2 * (1 - cosine**2), 0)
    return np.where(np.degrees(angle) < _LIMBUS_ANGLE, np.maximum(offset * cosine + np.sqrt(root), 1.0), 1.0)


def eyeball() -> Part:
    """A ball of radius 1 that looks along +z, its pole in the pupil; the cornea's vertices and polygons come last."""
    white = [(_BALL * np.sin(a), _BALL * np.cos(a)) for a in np.radians(_WHITE)]
    inner = [*_PUPIL_PROFILE[::-1], *_IRIS_PROFILE[::-1]]
    rings = [*inner, *white]
    materials = ["pupil"] * (len(_PUPIL_PROFILE) + 1) + ["iris"] * len(_IRIS_PROFILE)
    materials += ["eye_white"] * len(_WHITE)
    points, polygons = _revolved(rings, (0.0, rings[0][1]), (0.0, -_BALL))
    # The shell: over the iris a sphere, then gently down to the white and under it.
    shell = [(r, _MIDDLE + np.sqrt(_CORNEA_RADIUS**2 - r * r)) for r in _CORNEA[::-1]]
    for angle, lift in ((_LIMBUS_ANGLE + 0.8, 0.035), (_LIMBUS_ANGLE + 3.0, 0.012), (_LIMBUS_ANGLE + 5.5, -0.06)):
        reach = _BALL + lift
        shell.append((reach * np.sin(np.radians(angle)), reach * np.cos(np.radians(angle))))
    cap, cap_polygons = _revolved(shell, (0.0, _APEX), None)
    cap_polygons = np.where(cap_polygons >= 0, cap_polygons + len(points), -1)
    names = np.concatenate([np.repeat(materials, EYE_SEGMENTS), np.full(len(cap_polygons), "cornea")])
    return Part(np.concatenate([points, cap]) / _BALL, np.concatenate([polygons, cap_polygons]), names)


def _revolved(
    rings: list[tuple[float, float]], front: tuple[float, float], back: tuple[float, float] | None
) -> tuple[Floats, npt.NDArray[np.integer[Any]]]:
    """Rings of (distance, height) turned about +z, with a pole in front and one at the back or none.

    Returns:
        Points (front pole first, back pole last) and polygons, ring by ring from the front.
    """
    n = EYE_SEGMENTS
    phi = (np.arange(n) + 0.5) * (2 * np.pi / n)
    body = [np.stack([r * np.cos(phi), r * np.sin(phi), np.full(n, h)], axis=1) for r, h in rings]
    points = np.concatenate([[[0, 0, front[1]]], *body])
    spin, none, last = np.arange(n), np.full(n, -1), len(rings)
    polygons = [
        np.stack([np.zeros(n, int), 1 + spin, 1 + (spin + 1) % n, none], axis=1),
        1 + grid_quads(last, n, closed=True),
    ]
    if back is not None:
        start = 1 + (last - 1) * n
        points = np.concatenate([points, [[0, 0, back[1]]]])
        polygons.append(np.stack([np.full(n, 1 + last * n), start + (spin + 1) % n, start + spin, none], axis=1))
    return points, np.concatenate(polygons)
