# SPDX-License-Identifier: Apache-2.0
"""Fine relief on a rendered head: pixels get the light that a surface raised by a height map would throw back.

The mesh stays as it is; normals are turned by the slope of the height over the surface (Blinn's bump mapping, 1978,
with Mikkelsen's surface gradient), and hollows get less of the sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .looks import Look
from .raster import Raster, channels_at
from .texture import light_basis

__all__ = ["HOLLOW", "Relief", "relief_light"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
HOLLOW = 260.0  # share of light that is lost per metre below the skin around
_SKIN = ("skin", "lips")
_LOW, _HIGH = 0.25, 1.7  # a pixel gets at least and at most so much of the light that it had


@dataclass(frozen=True)
class Relief:
    """Heights over the UV map.

    Attributes:
        height: (H, W) metres along the normal, top row first: v of the UVs runs up.
        bounds: u and v of the map's lower left corner and of its upper right one; outside of it nothing is raised.
    """

    height: Floats
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def at(self, uv: Floats) -> Floats:
        """(P, 3) at places (P, 2): change of the height per unit of u and of v in metres, and the height itself."""
        height = np.asarray(self.height, np.float32)
        rows, columns = height.shape
        low_u, low_v, high_u, high_v = self.bounds
        wide, tall = columns / (high_u - low_u), rows / (high_v - low_v)  # texels per unit
        down, right = np.gradient(height)
        slopes = np.stack([right * wide, -down * tall, height], axis=-1)
        column, row = (uv[:, 0] - low_u) * wide - 0.5, (high_v - uv[:, 1]) * tall - 0.5
        inside = (column > 0) & (column < columns - 1) & (row > 0) & (row < rows - 1)
        return np.where(inside[:, None], _sample(slopes, column, row), np.float32(0))


def relief_light(
    model: HeadModel, relief: Relief, look: Look, raster: Raster, seen: Ints, vertices: Floats, normals: Floats
) -> npt.NDArray[np.float32]:
    """(P,) by how much the light of the pixels ``seen`` changes; 1 where nothing is raised.

    Args:
        model: the head, with UVs.
        relief: what its skin is raised by.
        look: the lamps.
        raster: of the whole mesh.
        seen: (P,) flat numbers of covered pixels.
        vertices, normals: (V, 3) of the posed head in the camera frame.
    """
    ratio = np.ones(len(seen), np.float32)
    codes = [i for i, name in enumerate(model.material_names) if name in _SKIN]
    owner = raster.triangle.ravel()[seen]
    skin = np.flatnonzero(np.isin(model.polygon_materials[model.triangle_polygons[owner]], codes))
    if not len(skin):
        return ratio
    owner, shares = owner[skin], raster.barycentric.reshape(-1, 3)[seen[skin]]
    places = model.uvs[model.triangle_uvs[owner]]
    uv = np.einsum("pk,pkc->pc", shares, places)
    slope = relief.at(uv)
    raised = np.flatnonzero(np.abs(slope).max(axis=1) > 1e-9)
    owner, places, slope, skin = owner[raised], places[raised], slope[raised], skin[raised]

    corners = vertices[model.triangles[owner]].astype(np.float64)
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    d1, d2 = (places[:, k].astype(np.float64) - places[:, 0] for k in (1, 2))
    area = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    area = np.where(np.abs(area) > 1e-14, area, np.inf)[:, None]
    along_u, along_v = (d2[:, 1:] * e1 - d1[:, 1:] * e2) / area, (d1[:, :1] * e2 - d2[:, :1] * e1) / area
    normal = channels_at(raster, model.triangles, np.asarray(normals.T, np.float32), seen[skin]).T.astype(np.float64)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # The surface gradient from the derivatives along u and v.
    across_u, across_v = np.cross(along_v, normal), np.cross(normal, along_u)
    volume = (along_u * across_u).sum(axis=1, keepdims=True)
    volume = np.where(np.abs(volume) > 1e-12, volume, np.inf)
    gradient = (slope[:, :1] * across_u + slope[:, 1:2] * across_v) / volume
    turned = normal - gradient
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    before, after = _lamps(look, normal), _lamps(look, turned)
    change = (after + 0.03) / (before + 0.03) * np.clip(1 + HOLLOW * slope[:, 2], 0.6, 1.1)
    ratio[skin] = np.clip(change, _LOW, _HIGH)
    return ratio


def _lamps(look: Look, normals: Floats) -> Floats:
    """(P,) light of a look's lamps on surfaces with these normals, without shadows."""
    key = normals @ light_basis(np.asarray(look.key_direction))[2]
    fill = normals @ light_basis(np.asarray(look.fill_direction))[2]
    wrap = 0.6 * look.wrap
    light = np.clip((key + wrap) / (1 + wrap), 0, None) * np.mean(look.key)
    light = light + np.clip(0.8 * fill + 0.2, 0, None) * np.mean(look.fill)
    up = 0.5 + 0.5 * normals[:, 1]
    return light + np.mean(look.ground) + (np.mean(look.sky) - np.mean(look.ground)) * up


def _sample(picture: Floats, column: Floats, row: Floats) -> Floats:
    """(P, C) bilinear values of (H, W, C) at places in texels."""
    column, row = np.clip(column, 0, picture.shape[1] - 1.001), np.clip(row, 0, picture.shape[0] - 1.001)
    x, y = column.astype(np.int64), row.astype(np.int64)
    fx, fy = (column - x)[:, None], (row - y)[:, None]
    top = picture[y, x] * (1 - fx) + picture[y, x + 1] * fx
    return top * (1 - fy) + (picture[y + 1, x] * (1 - fx) + picture[y + 1, x + 1] * fx) * fy
