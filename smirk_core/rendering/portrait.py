# SPDX-License-Identifier: Apache-2.0
"""A small picture of a posed head for icons, in NumPy alone: flat colours by material under two lamps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.decode import decode, project
from ..heads.head_model import HeadModel
from .raster import interpolate, rasterize

__all__ = ["portrait"]

Floats = npt.NDArray[np.floating[Any]]
_CLAY = (0.80, 0.64, 0.55)
_COLOURS = {  # sRGB by material; everything else is clay
    "lips": (0.74, 0.47, 0.44), "mouth": (0.36, 0.16, 0.15), "eye_white": (0.93, 0.92, 0.90),
    "iris": (0.36, 0.26, 0.18), "pupil": (0.04, 0.04, 0.04), "teeth": (0.92, 0.90, 0.85),
    "gums": (0.66, 0.36, 0.36), "tongue": (0.72, 0.40, 0.40), "caruncle": (0.78, 0.50, 0.46),
    "lash": (0.16, 0.11, 0.09), "brow": (0.24, 0.17, 0.13),
}  # fmt: skip
_LAMPS = (((0.45, 0.55, 0.75), 0.85), ((-0.8, 0.1, 0.5), 0.28))  # direction to the lamp (x, y up, z to us), strength
_AMBIENT = 0.22
_MARGIN = 1.12


def portrait(model: HeadModel, groups: Mapping[str, Floats], size: int, *, supersample: int = 3) -> Floats:
    """The head in one pose; at rest it fills the picture.

    Args:
        model: any head.
        groups: name -> (1, size), as for :func:`smirk_core.heads.decode.decode`.
        size: pixels a side.
        supersample: samples along a pixel's side.

    Returns:
        (size, size, 4) float32, sRGB and alpha in 0..1, not premultiplied, top row first.
    """
    vertices = np.asarray(decode(model, groups).vertices[0], dtype=np.float64)
    face = model.regions.get("face")
    # Framed as at rest, so that pictures of one face can be compared.
    still = {k: v for k, v in groups.items() if k == "identity"}
    rest = np.asarray(decode(model, still).vertices[0], dtype=np.float64)
    shown = rest if face is None or not face.any() else rest[face]
    low, high = shown.min(axis=0), shown.max(axis=0)
    fine = size * supersample
    scale = fine / (_MARGIN * float((high - low)[:2].max()))
    middle = (low + high) / 2
    camera = np.array([[scale, fine / 2 - 0.5 - scale * middle[0], fine / 2 - 0.5 + scale * middle[1]]])
    drawn = np.flatnonzero(~model.clear_triangles)
    triangles = model.triangles[drawn]
    raster = rasterize(project(vertices[None], camera)[0], triangles, fine, fine)

    normals = _vertex_normals(vertices, model.triangles)
    normal = interpolate(raster, triangles, normals.astype(np.float32))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    light = np.full(normal.shape[:2], _AMBIENT)
    for direction, strength in _LAMPS:
        towards = np.asarray(direction) / np.linalg.norm(direction)
        light += strength * np.clip(normal @ towards, 0.0, 1.0)
    linear = np.array([_COLOURS.get(n, _CLAY) for n in model.material_names or ("skin",)]) ** 2.2
    material = model.polygon_materials[model.triangle_polygons[drawn]][raster.triangle]
    colour = np.where(raster.covered[..., None], linear[material] * light[..., None], 0.0)

    def shrink(picture: Floats) -> Floats:
        return picture.reshape(size, supersample, size, supersample, -1).mean(axis=(1, 3))

    alpha = shrink(raster.covered.astype(np.float64)[..., None])
    linear_colour = shrink(colour) / np.maximum(alpha, 1e-6)
    return np.concatenate([np.clip(linear_colour, 0, 1) ** (1 / 2.2), alpha], axis=-1).astype(np.float32)


def _vertex_normals(vertices: Floats, triangles: npt.NDArray[np.integer[Any]]) -> Floats:
    """(V, 3) outward normals, weighted by area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    corners = triangles.ravel()
    weights = np.repeat(faces, 3, axis=0)
    sums: list[Floats] = [np.bincount(corners, weights[:, k], len(vertices)).astype(np.float64) for k in range(3)]
    return np.stack(sums, axis=1)
