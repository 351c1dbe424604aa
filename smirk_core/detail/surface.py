# SPDX-License-Identifier: Apache-2.0
"""The skin of a head as a picture: which point of the surface every texel of the UV map is.

Convention: S texels to a side of the UV square, top row first. Maps cover a window of it, as most of the square shows
no face: column c and row r of the window are the texel with its centre at u = (left + c + 0.5) / S,
v = 1 - (top + r + 0.5) / S. *Worked number:* with S = 2048 and a window from (600, 512) on, the first texel is at
(0.293213, 0.749756).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.decode import landmark_points
from ..heads.head_model import HeadModel
from ..rendering.raster import rasterize

__all__ = ["Frames", "SkinSurface", "Window", "bilinear", "face_window", "skin_normals", "skin_surface"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
SKIN = ("skin", "lips")
LANDMARKS = "mediapipe_478"


@dataclass(frozen=True)
class Window:
    """A part of the UV square in texels.

    Attributes:
        size: S, texels to a side of the whole square.
        left, top: the window's first column and row; ``width``, ``height``: how many it has.
    """

    size: int
    left: int
    top: int
    width: int
    height: int

    def texels_of(self, uvs: Floats) -> tuple[Floats, Floats]:
        """Columns and rows of the window, fractions included, of places (n, 2) in the UV square."""
        return uvs[:, 0] * self.size - 0.5 - self.left, (1 - uvs[:, 1]) * self.size - 0.5 - self.top

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """u and v of the lower left corner, u and v of the upper right one."""
        low, high = self.size - self.top - self.height, self.size - self.top
        return self.left / self.size, low / self.size, (self.left + self.width) / self.size, high / self.size


@dataclass(frozen=True)
class SkinSurface:
    """Texels of a head's skin; N of them, in the order of the map's rows.

    Attributes:
        window: the part of the UV square that is looked at.
        texels: (N,) flat numbers in the window.
        corners: (N, 3) vertices of the triangle that a texel lies on.
        shares: (N, 3) float32, its barycentric weights there.
        uv_corners: (N, 3) rows of the head's UVs.
        position: (N, 3) float32 metres, on the template.
        normal: (N, 3) float32, of the template, smooth.
        landmarks: (478, 3) metres on the template.
    """

    window: Window
    texels: Ints
    corners: Ints
    shares: Floats
    uv_corners: Ints
    position: Floats
    normal: Floats
    landmarks: Floats

    def at_texels(self, values: Floats) -> Floats:
        """(N, ...) of values (V, ...) per vertex."""
        shares = self.shares.astype(values.dtype if values.dtype.kind == "f" else np.float32)
        total = shares[:, :1] * values[self.corners[:, 0]].reshape(len(self.texels), -1)
        for k in (1, 2):
            total += shares[:, k : k + 1] * values[self.corners[:, k]].reshape(len(self.texels), -1)
        return total.reshape(len(self.texels), *values.shape[1:])

    def as_map(self, values: Floats, background: float = 0.0) -> Floats:
        """(height, width, ...) float32 map of values (N, ...) per texel; ``background`` where there is no skin."""
        picture = np.full((self.window.height * self.window.width, *values.shape[1:]), background, np.float32)
        picture[self.texels] = values
        return picture.reshape(self.window.height, self.window.width, *values.shape[1:])


def skin_triangles(model: HeadModel) -> npt.NDArray[np.bool_]:
    """(F,) True for triangles of skin and lips."""
    codes = [i for i, name in enumerate(model.material_names) if name in SKIN]
    return np.isin(model.polygon_materials[model.triangle_polygons], codes)


def skin_normals(model: HeadModel, vertices: Floats) -> Floats:
    """(V, 3) float64 unit normals, of skin triangles only; (0, 0, 1) for vertices of other parts."""
    triangles = model.triangles[skin_triangles(model)]
    a, b, c = (np.asarray(vertices, np.float64)[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for k in range(3):
            total[:, axis] += np.bincount(triangles[:, k], across[:, axis], len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-30), [0.0, 0.0, 1.0])


_cache: dict[tuple[str, int, Window], SkinSurface] = {}


def face_window(model: HeadModel, size: int) -> Window:
    """The part of the UV square that shows the face, from the hairline to the chin and from temple to temple.

    Args:
        model: the head.
        size: S, texels to a side of the whole square.

    Raises:
        AssetError: the head has no UVs or no dense landmarks.
    """
    points = _landmarks(model)
    low, high = points.min(axis=0) - 0.006, points.max(axis=0) + 0.006
    rest = model.template.astype(np.float64)
    face = ((rest > low) & (rest < high)).all(axis=1) & (skin_normals(model, rest)[:, 2] > 0.0)
    for name in ("ears", "mouth_interior", "sockets", "neck"):
        face &= ~np.asarray(model.regions.get(name, np.zeros(len(face), bool)), bool)
    kept = skin_triangles(model) & face[model.triangles].all(axis=1)
    places = model.uvs[model.triangle_uvs[kept]].reshape(-1, 2)
    if not len(places):
        places = model.uvs
    margin = max(2, size // 256)
    left, bottom = np.floor(places.min(axis=0) * size).astype(int) - margin
    right, above = np.ceil(places.max(axis=0) * size).astype(int) + margin
    # Whole blocks of four, so that coarser maps of the same window line up.
    left, right = max(left // 4 * 4, 0), min(-(-right // 4) * 4, size)
    top, end = max((size - above) // 4 * 4, 0), min(-(-(size - bottom) // 4) * 4, size)
    return Window(size, int(left), int(top), int(right - left), int(end - top))


def _landmarks(model: HeadModel) -> Floats:
    """(478, 3) metres on the template."""
    if not len(model.uvs):
        raise AssetError(f"The head '{model.name}' has no UVs, so it can carry no wrinkle maps.")
    if LANDMARKS not in model.landmarks:
        raise AssetError(f"The head '{model.name}' has no dense landmarks, so nobody knows where its wrinkles run.")
    rest = model.template.astype(np.float32)
    return landmark_points(model, rest[None], model.landmarks[LANDMARKS])[0].astype(np.float64)


def skin_surface(model: HeadModel, size: int = 2048, window: Window | None = None) -> SkinSurface:
    """Texels of a head's skin within a window; the last few are kept.

    Args:
        model: the head.
        size: S, texels to a side of the whole square.
        window: what to look at; the face where not given.

    Raises:
        AssetError: the head has no UVs or no dense landmarks to lay lines by.
    """
    window = face_window(model, size) if window is None else window
    key = (model.digest, hash(model.uvs.tobytes()), window)
    if key in _cache:
        return _cache[key]
    column, row = window.texels_of(model.uvs.astype(np.float64))
    places = np.stack([column, row, np.zeros(len(column))], axis=1)
    kept = np.flatnonzero(skin_triangles(model))
    raster = rasterize(places, model.triangle_uvs[kept], window.width, window.height, cull=False)
    texels = np.flatnonzero(raster.covered.ravel())
    owner = kept[raster.triangle.ravel()[texels]]
    shares = raster.barycentric.reshape(-1, 3)[texels]
    rest, corners, empty = model.template.astype(np.float32), model.triangles[owner], np.zeros((0, 3), np.float32)
    bare = SkinSurface(window, texels, corners, shares, model.triangle_uvs[owner], empty, empty, _landmarks(model))
    normal = bare.at_texels(skin_normals(model, rest).astype(np.float32))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    surface = replace(bare, position=bare.at_texels(rest), normal=normal)
    while len(_cache) >= 3:
        _cache.pop(next(iter(_cache)))
    _cache[key] = surface
    return surface


@dataclass(frozen=True)
class Frames:
    """How a posed surface stretches the UV map; everything per texel of a :class:`SkinSurface`.

    Attributes:
        along_u, along_v: (N, 3) metres per unit of u and of v, in the plane that the normal is normal to.
        normal: (N, 3) unit.
    """

    along_u: Floats
    along_v: Floats
    normal: Floats

    @staticmethod
    def of(model: HeadModel, surface: SkinSurface, vertices: Floats) -> Frames:
        """Frames of a posed head, vertices (V, 3) metres."""
        along = uv_directions(model, vertices)
        normal = surface.at_texels(skin_normals(model, vertices))
        normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        flat = []
        for direction in along:
            d = surface.at_texels(direction)
            flat.append(d - (d * normal).sum(axis=1, keepdims=True) * normal)
        return Frames(flat[0], flat[1], normal)

    def dual(self) -> tuple[Floats, Floats]:
        """(N, 3) twice: the surface gradient of a height h is dh/du times the first plus dh/dv times the second."""
        uu, vv = (self.along_u**2).sum(axis=1), (self.along_v**2).sum(axis=1)
        uv = (self.along_u * self.along_v).sum(axis=1)
        # A floor on the determinant: where the map folds at a seam, no gradient is better than an endless one.
        scale = np.maximum(uu * vv - uv**2, 1e-4 * uu * vv + 1e-12)[:, None]
        return (
            (vv[:, None] * self.along_u - uv[:, None] * self.along_v) / scale,
            (uu[:, None] * self.along_v - uv[:, None] * self.along_u) / scale,
        )


def uv_directions(model: HeadModel, vertices: Floats) -> tuple[Floats, Floats]:
    """(V, 3) twice: metres per unit of u and of v at each vertex, the mean over its skin triangles by area."""
    skin = skin_triangles(model)
    triangles, places = model.triangles[skin], model.uvs.astype(np.float64)[model.triangle_uvs[skin]]
    points = np.asarray(vertices, np.float64)[triangles]
    e1, e2 = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    d1, d2 = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    area = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    good = np.abs(area) > 1e-12
    area = np.where(good, area, 1.0)[:, None]
    along_u = (d2[:, 1:] * e1 - d1[:, 1:] * e2) / area
    along_v = (d1[:, :1] * e2 - d2[:, :1] * e1) / area
    weight = np.linalg.norm(np.cross(e1, e2), axis=1) * good
    total = np.zeros(len(vertices))
    sums = [np.zeros((len(vertices), 3)), np.zeros((len(vertices), 3))]
    for k in range(3):
        total += np.bincount(triangles[:, k], weight, len(vertices))
        for s, direction in zip(sums, (along_u, along_v), strict=True):
            for axis in range(3):
                s[:, axis] += np.bincount(triangles[:, k], weight * direction[:, axis], len(vertices))
    total = np.maximum(total, 1e-30)[:, None]
    return sums[0] / total, sums[1] / total


def bilinear(picture: Floats, column: Floats, row: Floats) -> Floats:
    """(n, ...) values of a map (H, W, ...) at places in texels, where (0, 0) is the centre of the first texel."""
    height, width = picture.shape[:2]
    column, row = np.clip(column, 0, width - 1.001), np.clip(row, 0, height - 1.001)
    x, y = column.astype(np.int64), row.astype(np.int64)
    fx, fy = (column - x).astype(picture.dtype), (row - y).astype(picture.dtype)
    if picture.ndim > 2:
        fx, fy = fx[:, None], fy[:, None]
    top = picture[y, x] * (1 - fx) + picture[y, x + 1] * fx
    return top * (1 - fy) + (picture[y + 1, x] * (1 - fx) + picture[y + 1, x + 1] * fx) * fy
