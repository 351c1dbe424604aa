# SPDX-License-Identifier: Apache-2.0
"""The eyeball as a mesh of its own, for a ball of radius 1 that looks along +z."""

from __future__ import annotations

import numpy as np

from .build_parts import Part, grid_quads

__all__ = ["EYE_SEGMENTS", "eyeball"]

EYE_SEGMENTS = 28

# Degrees from the pupil. A pupil of 3.4 mm and an iris of 10.6 mm: a little under an adult's 11.7,
# as MakeHuman's openings are a little narrower than an adult's.
_PUPIL, _LIMBUS = 7.8, 25.0
_RINGS = (3.9, _PUPIL, 12.0, 16.5, 21.0, _LIMBUS, 30.0, 38.0, 46.0, 56.0, 68.0, 82.0, 100.0, 122.0, 150.0)
CORNEA = 0.018  # how far the cornea stands out, in radii


def eyeball() -> Part:
    """A ball of radius 1 that looks along +z, its pole in the pupil, with a slight cornea."""
    theta = np.radians(_RINGS)[:, None]
    phi = (np.arange(EYE_SEGMENTS) + 0.5)[None] * (2 * np.pi / EYE_SEGMENTS)
    ring = np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi], axis=-1
    ).reshape(-1, 3)
    points = np.concatenate([[[0, 0, 1.0]], ring, [[0, 0, -1.0]]])
    angle = np.degrees(np.arccos(np.clip(points[:, 2], -1, 1)))
    points *= (1 + CORNEA * np.clip(1 - (angle / _LIMBUS) ** 2, 0, None) ** 1.5)[:, None]
    n, last = EYE_SEGMENTS, len(_RINGS)
    spin = np.arange(n)
    none = np.full(n, -1)
    cap = np.stack([np.zeros(n, int), 1 + spin, 1 + (spin + 1) % n, none], axis=1)
    start = 1 + (last - 1) * n
    back = np.stack([np.full(n, 1 + last * n), start + (spin + 1) % n, start + spin, none], axis=1)
    body = 1 + grid_quads(last, n, closed=True)
    polygons = np.concatenate([cap, body, back])
    outer = np.concatenate([np.full(n, _RINGS[0]), np.repeat(_RINGS[1:], n), np.full(n, 180.0)])
    materials = np.where(outer <= _PUPIL + 0.01, "pupil", np.where(outer <= _LIMBUS + 0.01, "iris", "eye_white"))
    return Part(points, polygons, materials)
