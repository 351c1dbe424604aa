# SPDX-License-Identifier: Apache-2.0
"""Where a face shows bare skin: not brows, lashes, lips, nostrils, ears, nor what hair may hang over."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .surface import SkinSurface

__all__ = ["bare_skin"]

Floats = npt.NDArray[np.floating[Any]]
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_NOSTRILS = ((98, 97, 99, 240, 75), (327, 326, 328, 460, 305))


def bare_skin(model: HeadModel, surface: SkinSurface) -> npt.NDArray[np.float32]:
    """(N,) 1 on bare skin, 0 on brows, lids' rims, lips, nostrils and around the face, soft in between."""
    points, place = surface.landmarks, surface.position.astype(np.float64)
    keep = np.ones(len(place))
    for ring in _BROWS:
        keep *= _away(place, points[list(ring)], 2.0, 5.0, fill=True)
    for ring in _LIDS:
        keep *= _away(place, points[list(ring)], 3.0, 6.0, fill=True)
        # The upper lid's own fold and the shade under the brow.
        keep *= _away(place, points[list(ring)] + [0.0, 0.005, 0.0], 3.5, 7.0, fill=True)
    keep *= _away(place, points[list(_LIPS)], 2.5, 6.0, fill=True)
    for some in _NOSTRILS:
        keep *= _away(place, points[list(some)], 4.0, 8.0, fill=True)
    hidden = np.zeros(len(model.template), np.float32)
    for name in ("ears", "mouth_interior", "sockets", "scalp", "neck"):
        hidden = np.maximum(hidden, np.asarray(model.regions.get(name, hidden), np.float32))
    keep *= np.clip(1 - 1.5 * surface.at_texels(hidden), 0, 1)
    # The hairline and the rim of the face: from the outermost landmarks inwards.
    top, chin = points[10, 1], points[152, 1]
    keep *= _step(top - 0.001, top - 0.009, place[:, 1]) * _step(chin + 0.001, chin + 0.009, place[:, 1])
    keep *= _step(0.25, 0.55, surface.normal[:, 2]) * _step(-0.75, -0.4, surface.normal[:, 1])  # not from below
    wide = np.abs(points[:, 0]).max()
    keep *= _step(wide - 0.002, wide - 0.012, np.abs(place[:, 0]))
    return keep.astype(np.float32)


def _away(place: Floats, ring: Floats, near: float, far: float, *, fill: bool) -> Floats:
    """(N,) 0 within ``near`` mm of a closed line (and inside it, where it is to be filled), 1 beyond ``far``."""
    low, high = ring.min(axis=0) - 1e-3 * far, ring.max(axis=0) + 1e-3 * far
    rows = np.flatnonzero(((place > low) & (place < high)).all(axis=1))
    keep = np.ones(len(place))
    if not len(rows):
        return keep
    line = np.concatenate([ring, ring[:1]])
    line = np.concatenate([line[:-1] + t * np.diff(line, axis=0) for t in np.linspace(0, 1, 6, endpoint=False)])
    some = place[rows]
    square = (some**2).sum(axis=1)[:, None] + (line**2).sum(axis=1)[None] - 2 * some @ line.T
    distance = np.sqrt(np.maximum(square.min(axis=1), 0))
    if fill:
        x, y = some[:, 0], some[:, 1]
        inside = np.zeros(len(some), bool)
        for (ax, ay), (bx, by) in zip(ring[:, :2], np.roll(ring[:, :2], -1, axis=0), strict=True):
            crosses = (ay > y) != (by > y)
            inside ^= crosses & (x < (bx - ax) * (y - ay) / np.where(by == ay, 1e-12, by - ay) + ax)
        distance = np.where(inside, 0.0, distance)
    keep[rows] = _step(1e-3 * near, 1e-3 * far, distance)
    return keep


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
