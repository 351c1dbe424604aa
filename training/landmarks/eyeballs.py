# SPDX-License-Identifier: Apache-2.0
"""Iris landmarks from geometry: centre and rim lie where lines from the eyeball's joint leave the eyeball."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel

from .surface import Places

__all__ = ["IRIS_RADIUS", "iris_places"]

Floats = npt.NDArray[np.floating[Any]]
IRIS_RADIUS = 0.00585  # metres: adults' visible iris is 11.7 mm wide (Rüfer et al. 2005)
# Trust: the detector finds irises well; the rim's four points vary with the lids.
_SPREAD = np.array([6e-4, 7e-4, 9e-4, 7e-4, 9e-4])


def _hit(origin: Floats, direction: Floats, corners: Floats) -> tuple[int, Floats]:
    """First of (F, 3, 3) triangles that a ray from inside leaves through, and the barycentric weights."""
    e1, e2, s = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], origin - corners[:, 0]
    p = np.cross(direction, e2)
    determinant = (e1 * p).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (s * p).sum(1) / determinant
        q = np.cross(s, e1)
        v = (q @ direction) / determinant
        t = (e2 * q).sum(1) / determinant
    inside = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (t > 0)
    hits = np.flatnonzero(inside)
    if len(hits) == 0:
        raise ValueError("the eyeball has a hole where the iris should be")
    best = hits[t[hits].argmin()]  # the innermost surface: the iris, not a cornea in front of it
    return int(best), np.clip([1 - u[best] - v[best], u[best], v[best]], 0, 1)


def iris_places(model: HeadModel) -> Places:
    """The ten iris points: right eye 468-472, left 473-477; centre, then the rim: left, up, right, down.

    Raises:
        ValueError: the head's eyeballs are not closed in front.
    """
    names = model.material_names
    words = ("eye", "sclera", "iris", "pupil")
    eye = [i for i, n in enumerate(names) if any(w in n for w in words) and "lash" not in n and "brow" not in n]
    usable = np.flatnonzero(np.isin(model.polygon_materials[model.triangle_polygons], eye))
    triangles, weights = [], []
    for joint in ("right_eye", "left_eye"):
        number = model.joint_names.index(joint)
        centre = (model.joint_regressor[number] @ model.template).astype(np.float64)
        own = usable[np.argmax(model.skinning_weights[model.triangles[usable]].sum(1), axis=1) == number]
        corners = model.template[model.triangles[own]].astype(np.float64)
        # The ball's radius: a cornea or a hollow iris moves few of its vertices.
        radius = np.median(np.linalg.norm(corners.reshape(-1, 3) - centre, axis=1))
        tilt = np.arcsin(IRIS_RADIUS / radius)
        for u, v in ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)):
            # A hair off the pole, where many triangles meet.
            side, up = np.sin(tilt) * u + 1e-5, np.sin(tilt) * v + 1e-5
            direction = np.array([side, up, np.sqrt(1 - side * side - up * up)])
            found, bary = _hit(centre, direction, corners)
            triangles.append(own[found])
            weights.append(bary / bary.sum())
    return Places(np.array(triangles), np.array(weights), np.tile(_SPREAD, 2))
