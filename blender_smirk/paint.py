# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh attributes that the materials read: soft masks on the skin and a map of each iris.

They come from the head's regions and rest shape, so that no image file is needed and nothing swims when the face
moves.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel

__all__ = ["IRIS", "PAINT", "add_paint", "iris_map", "soft_mask"]

Floats = npt.NDArray[np.floating[Any]]
PAINT = "smirk_paint"  # colour attribute: red lips, green flush (cheeks, nose, ears), blue scalp
IRIS = "smirk_iris"  # vector attribute: place on the iris in iris radii, far away elsewhere
_FAR = 9.0


def add_paint(mesh: bpy.types.Object, model: HeadModel) -> None:
    """Write both attributes to the vertices of ``mesh``, which was built from ``model``."""
    count = len(model.template)
    paint = np.zeros((count, 4), dtype=np.float32)
    paint[:, 0] = soft_mask(model, ("lips",), 2)
    paint[:, 1] = np.maximum(soft_mask(model, ("cheeks",), 14), soft_mask(model, ("nose", "ears"), 8))
    paint[:, 2] = soft_mask(model, ("scalp",), 6)
    paint[:, 3] = 1.0
    layer = mesh.data.attributes.new(PAINT, "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", paint.ravel())
    iris = mesh.data.attributes.new(IRIS, "FLOAT_VECTOR", "POINT")
    iris.data.foreach_set("vector", iris_map(model).astype(np.float32).ravel())


def soft_mask(model: HeadModel, regions: tuple[str, ...], steps: int) -> Floats:
    """(V,) 0..1: the union of ``regions`` with its edge blurred over ``steps`` rings of vertices; 0 where unknown."""
    mask = np.zeros(len(model.template))
    for name in regions:
        if name in model.regions:
            mask = np.maximum(mask, model.regions[name])
    a, b = _edges(model)
    neighbours = np.bincount(np.concatenate([a, b]), minlength=len(mask))
    for _ in range(steps):
        around = np.bincount(a, mask[b], len(mask)) + np.bincount(b, mask[a], len(mask))
        mask = 0.5 * mask + 0.5 * around / np.maximum(neighbours, 1)
    return mask


def _edges(model: HeadModel) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]]:
    """Both ends of every edge, each edge once."""
    corners = model.triangles
    pairs = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    codes = np.unique(pairs[:, 0] * np.int64(len(model.template)) + pairs[:, 1])  # ten times as quick as by rows
    return codes // len(model.template), codes % len(model.template)


def iris_map(model: HeadModel) -> Floats:
    """(V, 3) place of eyeball vertices around the centre of their pupil, in iris radii (x, y; z is 0); else far."""
    places = np.full((len(model.template), 3), _FAR)
    names = model.material_names
    if not {"iris", "pupil"} <= set(names):
        return places
    iris, pupil, ball = (_vertices(model, (n,)) for n in ("iris", "pupil", "eye_white"))
    for side in (model.template[:, 0] > 0, model.template[:, 0] <= 0):
        centre = model.template[pupil & side].mean(axis=0)
        offset = (model.template - centre)[:, :2]
        radius = np.linalg.norm(offset[iris & side], axis=1).max()
        own = (iris | pupil | ball) & side & (model.template[:, 2] > centre[2] - 2 * radius)
        places[own, :2] = offset[own] / radius
        places[own, 2] = 0.0
    return places


def _vertices(model: HeadModel, materials: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(V,) True for vertices of polygons with one of these materials."""
    wanted = [model.material_names.index(n) for n in materials if n in model.material_names]
    corners = model.polygons[np.isin(model.polygon_materials, wanted)]
    mask = np.zeros(len(model.template), dtype=bool)
    mask[corners[corners >= 0]] = True
    return mask
