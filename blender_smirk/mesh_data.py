# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes and their weights from arrays, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from .shape_keys import to_blender

__all__ = ["add_weights", "new_mesh"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def new_mesh(name: str, vertices: Floats, polygons: Ints, materials: Ints, corner_uvs: Floats | None) -> Any:
    """A smooth mesh.

    Args:
        vertices: (V, 3) metres in head space.
        polygons: (P, 4), -1 in the last column of triangles.
        materials: (P,) slots.
        corner_uvs: (P, 4, 2), or None for a mesh without a texture layout.
    """
    data: Any = bpy.data.meshes.new(name)
    corner = polygons >= 0
    sizes = corner.sum(axis=1)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", np.float32(to_blender(vertices)).ravel())
    data.loops.add(int(sizes.sum()))
    data.loops.foreach_set("vertex_index", polygons[corner].astype(np.int32))
    data.polygons.add(len(sizes))
    data.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
    if bpy.app.version < (4, 0):  # later a polygon ends where the next one starts
        data.polygons.foreach_set("loop_total", sizes.astype(np.int32))
    data.polygons.foreach_set("material_index", materials.astype(np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(sizes), dtype=bool))
    data.update(calc_edges=True)
    if corner_uvs is not None:
        layer = data.uv_layers.new(name="UVMap")
        uvs = np.float32(corner_uvs[corner]).ravel()
        if bpy.app.version < (3, 5):
            layer.data.foreach_set("uv", uvs)
        else:
            layer.uv.foreach_set("vector", uvs)
    return data


def add_weights(mesh: bpy.types.Object, names: Sequence[str], weights: Floats, *, empty: bool = True) -> None:
    """One vertex group for each column of ``weights`` (V, J); ``empty`` ones too where asked for.

    Blender has no bulk setter, so vertices of equal weight go in one call.
    """
    for name, column in zip(names, weights.T, strict=True):
        used = np.flatnonzero(column > 0)
        if not len(used) and not empty:
            continue
        group = mesh.vertex_groups.new(name=name)
        values, inverse = np.unique(column[used], return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        parts = np.split(used[order], np.flatnonzero(np.diff(inverse[order])) + 1)
        for value, part in zip(values.tolist(), parts, strict=False):
            group.add(part.tolist(), value, "REPLACE")
