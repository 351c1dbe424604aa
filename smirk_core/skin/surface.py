# SPDX-License-Identifier: Apache-2.0
"""The texels of a head's skin: where each lies on the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..rendering.raster import rasterize
from .areas import AREAS, face_places, skin_areas

__all__ = ["SkinTexels", "fill_outside", "skin_texels"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
PAINTED = ("skin", "lips", "mouth")


@dataclass(frozen=True)
class SkinTexels:
    """N texels of a square of ``size``, top row first: v runs up.

    Attributes:
        texels: (N,) indices into the flattened square.
        place: (N, 3) float32, in the frame of the face (distances between the eyes).
        unit: metres of that distance.
        density: (N,) float32, texels per metre on the head, the geometric mean of both directions.
        areas: name -> (N,) float32, as from :func:`.areas.skin_areas`.
        inside: (N,) bool, the mouth's cavity.
    """

    size: int
    texels: Ints
    place: Floats
    unit: float
    density: Floats
    areas: dict[str, Floats]
    inside: npt.NDArray[np.bool_]


_kept: dict[tuple[str, int], SkinTexels] = {}


def skin_texels(model: HeadModel, size: int) -> SkinTexels:
    """Texels of the skin; the last two results are kept.

    Raises:
        AssetError: the head has no UVs or no eyes, or the size is not within 64..8192.
    """
    if not 64 <= size <= 8192:
        raise AssetError(f"Skin maps are 64 to 8192 pixels in size, not {size}.")
    if not len(model.uvs):
        raise AssetError(f"The head '{model.name}' has no UVs, so its skin cannot be painted.")
    key = (model.digest, size)
    if key not in _kept:
        while len(_kept) > 1:
            _kept.pop(next(iter(_kept)))
        _kept[key] = _texels(model, size)
    return _kept[key]


def _texels(model: HeadModel, size: int) -> SkinTexels:
    codes = [i for i, n in enumerate(model.material_names) if n in PAINTED]
    painted = np.isin(model.polygon_materials[model.triangle_polygons], codes)
    triangles, uv_triangles = model.triangles[painted], model.triangle_uvs[painted]
    u, v = model.uvs[:, 0].astype(np.float64), model.uvs[:, 1].astype(np.float64)
    flat = np.stack([u * size - 0.5, (1 - v) * size - 0.5, np.zeros(len(u))], axis=1)
    raster = rasterize(flat, uv_triangles, size, size, cull=False)
    texels = np.flatnonzero(raster.covered.ravel())
    hit = raster.triangle.ravel()[texels]
    corners = triangles[hit]
    shares = raster.barycentric.reshape(-1, 3)[texels].astype(np.float32)
    place, unit = face_places(model)

    def mean(values: Floats) -> Floats:
        values = values.astype(np.float32)
        picked = values[corners[:, 0]] * _shape(shares[:, 0], values)
        for k in (1, 2):
            picked += values[corners[:, k]] * _shape(shares[:, k], values)
        return picked

    a, b, c = (place[triangles[:, k]] * unit for k in range(3))
    real = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    a, b, c = (flat[uv_triangles[:, k], :2] for k in range(3))
    drawn = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    # Evened out over vertices: a density that jumps from triangle to triangle would show in the pores.
    density = np.sqrt(drawn / np.maximum(real, 1e-12))
    total, times = np.zeros(len(place)), np.zeros(len(place))
    for k in range(3):
        np.add.at(total, triangles[:, k], density)
        np.add.at(times, triangles[:, k], 1)
    mouth = model.material_names.index("mouth") if "mouth" in model.material_names else -1
    inside = model.polygon_materials[model.triangle_polygons[painted][hit]] == mouth
    areas = skin_areas(model)
    return SkinTexels(
        size, texels, mean(place), unit, mean(total / np.maximum(times, 1)), {n: mean(areas[n]) for n in AREAS}, inside
    )


def _shape(shares: Floats, values: Floats) -> Floats:
    return shares if values.ndim == 1 else shares[:, None]


def fill_outside(image: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """(S, S, C) known texels unchanged, the others a smooth continuation of them: no seam shows when a map is scaled.

    Method: means of 2 x 2 texels up a pyramid, then back down (push and pull).
    """
    rows, columns = known.shape
    if known.all() or not known.any():
        return image
    weight = known.astype(np.float32)[..., None]
    padded = np.pad(image * weight, ((0, rows % 2), (0, columns % 2), (0, 0)))
    heavy = np.pad(weight, ((0, rows % 2), (0, columns % 2), (0, 0)))
    half = (padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    total = heavy.reshape(*half, 1).sum((1, 3))
    mean = padded.reshape(*half, -1).sum((1, 3)) / np.maximum(total, 1e-9)
    coarse = fill_outside(mean, total[..., 0] > 0)
    fine = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:rows, :columns]
    return np.where(known[..., None], image, fine).astype(np.float32)
