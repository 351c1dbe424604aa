# SPDX-License-Identifier: Apache-2.0
"""A z-buffer rasteriser in plain NumPy: which triangle does each pixel see, and where on it.

Method: every triangle is cut into its pixel rows and every row into its pixels, both by ``np.repeat``, so that no
Python loop runs over triangles and (almost) only covered pixels are ever touched. The column where an edge crosses
a row depends on that edge alone, and rows and columns are half-open ranges (the top-left rule): two triangles that
share an edge therefore never both cover a pixel and never leave one between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Raster", "coverage", "interpolate", "rasterize"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

_GRID = 65536.0  # Vertices are snapped to 1/65536 px: slopes stay finite whatever is given.
_FAR = 65536.0  # Triangles that reach further from the picture than this (px) are left out.
_CHUNK = 1 << 21  # Pixels handled at once: bounds the memory where large triangles lie behind each other.
_EMPTY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Raster:
    """What each pixel sees.

    Attributes:
        triangle: (H, W) int32, row of ``triangles``; -1 where nothing is.
        barycentric: (H, W, 3) float32, weights of that triangle's corners; 0 where nothing is.
        depth: (H, W) float32 in the unit of the points' third column; +inf where nothing is.
    """

    triangle: npt.NDArray[np.int32]
    barycentric: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """(H, W) True where a triangle is seen."""
        return self.triangle >= 0


def _checked(points: Floats, triangles: Ints, width: int, height: int) -> tuple[Floats, Ints]:
    points, triangles = np.asarray(points), np.asarray(triangles)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (V, 3), got {points.shape}")
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"triangles: expected (F, 3), got {triangles.shape}")
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels has none")
    points = points.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        points[:, :2] = np.round(points[:, :2] * _GRID) / _GRID
    return points, triangles


@dataclass(frozen=True)
class _Edges:
    """Half triangles between two of their corner heights: rows ``first`` .. ``first + rows``, left and right line.

    A line is (column, row, slope) of its upper end: column + slope * (r - row). Counting from the end makes it exact
    there, so that all edges that meet in a vertex on a pixel centre agree about that pixel.
    """

    triangle: Ints
    first: Ints
    rows: Ints
    left: tuple[Floats, Floats, Floats]
    right: tuple[Floats, Floats, Floats]

    def crossing(self, line: tuple[Floats, Floats, Floats], half: Ints, row: Ints, width: int) -> Ints:
        """First column at or right of the line in each row, within 0..width."""
        column, start, slope = line
        return np.clip(np.ceil(column[half] + slope[half] * (row - start[half])), 0, width).astype(np.int64)


def _half_triangles(u: Floats, v: Floats, original: Ints, height: int) -> _Edges:
    """(M, 3) corner columns and rows to half triangles."""
    order = np.argsort(v, axis=1, kind="stable")
    u, v = np.take_along_axis(u, order, axis=1), np.take_along_axis(v, order, axis=1)
    (top, middle, bottom), (v0, v1, v2) = u.T, v.T
    with np.errstate(divide="ignore", invalid="ignore"):
        # A horizontal edge gets an infinite or undefined slope here and no rows below, so it is never used.
        slopes = [(bottom - top) / (v2 - v0), (middle - top) / (v1 - v0), (bottom - middle) / (v2 - v1)]
    long_is_left = np.tile((bottom - top) * (v1 - v0) < (middle - top) * (v2 - v0), 2)
    cuts = np.clip(np.ceil(v), 0, height).astype(np.int64)
    first, rows = cuts[:, :2].T.ravel(), np.diff(cuts, axis=1).T.ravel()
    used = np.flatnonzero(rows > 0)
    long_is_left = long_is_left[used]
    long = [np.tile(value, 2)[used] for value in (top, v0, slopes[0])]
    short = [np.concatenate(pair)[used] for pair in ((top, middle), (v0, v1), (slopes[1], slopes[2]))]
    left = [np.where(long_is_left, a, b) for a, b in zip(long, short, strict=True)]
    right = [np.where(long_is_left, b, a) for a, b in zip(long, short, strict=True)]
    return _Edges(
        np.tile(original, 2)[used], first[used], rows[used], (left[0], left[1], left[2]), (right[0], right[1], right[2])
    )


def _fragments(points: Floats, triangles: Ints, width: int, height: int, cull: bool) -> Iterator[tuple[Ints, Ints]]:
    """Yield (pixel, triangle) int64 pairs, every pixel that every triangle covers, in bounded pieces."""
    if len(triangles) == 0:
        return
    u, v = points[:, 0][triangles], points[:, 1][triangles]
    with np.errstate(invalid="ignore", over="ignore"):
        # v points down, so a triangle that is counter-clockwise from outside has a negative area here.
        area = (u[:, 1] - u[:, 0]) * (v[:, 2] - v[:, 0]) - (v[:, 1] - v[:, 0]) * (u[:, 2] - u[:, 0])
        keep = area < 0 if cull else area != 0
        low_u, high_u, low_v, high_v = u.min(axis=1), u.max(axis=1), v.min(axis=1), v.max(axis=1)
        # Tests of the form "a pixel centre lies in the half-open box"; NaN and infinity fail them.
        keep &= (np.ceil(low_u) < np.ceil(high_u)) & (np.ceil(low_v) < np.ceil(high_v))
        keep &= (high_u > 0) & (low_u <= width - 1) & (high_v > 0) & (low_v <= height - 1)
        keep &= (low_u > -_FAR) & (low_v > -_FAR) & (high_u < _FAR) & (high_v < _FAR)
        keep &= np.isfinite(points[:, 2])[triangles].all(axis=1)
    kept = np.flatnonzero(keep)
    edges = _half_triangles(u[kept], v[kept], kept, height)
    if len(edges.rows) == 0:
        return

    half = np.repeat(np.arange(len(edges.rows)), edges.rows)
    row = np.arange(len(half)) + np.repeat(edges.first - (np.cumsum(edges.rows) - edges.rows), edges.rows)
    start = edges.crossing(edges.left, half, row, width)
    stop = edges.crossing(edges.right, half, row, width)
    used = np.flatnonzero(stop > start)
    count, begin, owner = (stop - start)[used], (row * width + start)[used], edges.triangle[half[used]]

    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(_CHUNK, total[-1], _CHUNK)) if len(total) else np.array([], int)
    for one in (slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(count)], strict=True) if a < b):
        n = count[one]
        pixel = np.repeat(begin[one] - (np.cumsum(n) - n), n)
        pixel += np.arange(len(pixel))
        yield pixel, np.repeat(owner[one], n)


def coverage(points: Floats, triangles: Ints, width: int, height: int, cull: bool = True) -> npt.NDArray[np.int64]:
    """(H, W) how many triangles cover each pixel, whatever their depth; arguments as in :func:`rasterize`."""
    points, triangles = _checked(points, triangles, width, height)
    hits = np.zeros(width * height, np.int64)
    for pixel, _ in _fragments(points, triangles, width, height, cull):
        hits += np.bincount(pixel, minlength=width * height)
    return hits.reshape(height, width)


def _planes(points: Floats, triangles: Ints) -> Floats:
    """(F, 3) float64: the depth of each triangle as offset + a * column + b * row; degenerate ones are not finite."""
    p0, p1, p2 = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    a, b = p1 - p0, p2 - p0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inverse = 1.0 / (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        du = (a[:, 2] * b[:, 1] - b[:, 2] * a[:, 1]) * inverse
        dv = (b[:, 2] * a[:, 0] - a[:, 2] * b[:, 0]) * inverse
        return np.stack([p0[:, 2] - du * p0[:, 0] - dv * p0[:, 1], du, dv], axis=1)


def rasterize(points: Floats, triangles: Ints, width: int, height: int, cull: bool = True) -> Raster:
    """Find the nearest triangle in every pixel.

    Convention: pixel (row r, column c) has its centre at u = c, v = r (origin at the centre of the top-left pixel,
    v down), so the triangle (0, 0), (0, 2), (2, 0) covers the pixels (0, 0), (0, 1) and (1, 0). Depth is linear in
    the picture: right for the scaled-orthographic camera of takes.

    Args:
        points: (V, 3) float: u, v in pixels and depth, smaller is nearer.
        triangles: (F, 3) int, counter-clockwise seen from outside.
        width, height: size of the picture in pixels.
        cull: leave out triangles seen from behind.

    Returns:
        Triangle, barycentric weights and depth of every pixel. At equal depth the lower triangle number wins.
        Triangles with a corner that is not finite, or more than 65536 px away, are left out.

    Raises:
        ValueError: shapes are wrong or the picture has no pixel.
    """
    points, triangles = _checked(points, triangles, width, height)
    # One 64-bit key per pixel, depth in the upper half and the triangle in the lower: its minimum is the z-test.
    keys = np.full(width * height, _EMPTY, np.int64)
    planes: Floats | None = None
    for pixel, owner in _fragments(points, triangles, width, height, cull):
        planes = _planes(points, triangles) if planes is None else planes
        row, column = np.divmod(pixel, width)
        depth = planes[owner, 0] + planes[owner, 1] * column + planes[owner, 2] * row
        bits = depth.astype(np.float32).view(np.int32)
        # Floats order like integers once the bits below the sign of negative ones are turned over.
        ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
        np.minimum.at(keys, pixel, (ordered.astype(np.int64) << 32) | owner)
    return _resolve(points, triangles, keys, width, height)


def _resolve(points: Floats, triangles: Ints, keys: npt.NDArray[np.int64], width: int, height: int) -> Raster:
    """Winning keys to triangle, barycentric weights and depth."""
    triangle = np.full(width * height, -1, np.int32)
    barycentric = np.zeros((width * height, 3), np.float32)
    depth = np.full(width * height, np.inf, np.float32)
    seen = np.flatnonzero(keys != _EMPTY)
    if len(seen):
        winner = keys[seen] & 0xFFFFFFFF
        triangle[seen] = winner
        row, column = np.divmod(seen, width)
        corners = triangles[winner]
        u, v, z = points[:, 0], points[:, 1], points[:, 2]
        i, j, k = corners.T
        au, av = u[j] - u[i], v[j] - v[i]
        bu, bv = u[k] - u[i], v[k] - v[i]
        pu, pv = column - u[i], row - v[i]
        inverse = 1.0 / (au * bv - av * bu)
        w1 = (pu * bv - pv * bu) * inverse
        w2 = (au * pv - av * pu) * inverse
        barycentric[seen] = np.stack([1.0 - w1 - w2, w1, w2], axis=1)
        depth[seen] = z[i] + w1 * (z[j] - z[i]) + w2 * (z[k] - z[i])
    shape = (height, width)
    return Raster(triangle.reshape(shape), barycentric.reshape(*shape, 3), depth.reshape(shape))


def interpolate(raster: Raster, triangles: Ints, attributes: Floats) -> Floats:
    """Carry attributes from corners to pixels.

    Args:
        raster: result of :func:`rasterize`.
        triangles: (F, 3) int into ``attributes``: the mesh's own triangles for values per vertex, another table of
            the same length for values per corner (``HeadModel.triangle_uvs`` with ``HeadModel.uvs``).
        attributes: (V, C) float.

    Returns:
        (H, W, C), dtype of ``attributes``; 0 where nothing is seen.
    """
    seen = np.flatnonzero(raster.triangle.ravel() >= 0)
    height, width = raster.triangle.shape
    values = np.zeros((height * width, attributes.shape[1]), attributes.dtype)
    values[seen] = at_pixels(raster, triangles, attributes, seen)
    return values.reshape(height, width, -1)


def at_pixels(raster: Raster, triangles: Ints, attributes: Floats, pixels: Ints) -> Floats:
    """(P, C) attributes at flat pixel numbers that all see a triangle; otherwise as :func:`interpolate`."""
    corners = triangles[raster.triangle.ravel()[pixels]]
    weights = raster.barycentric.reshape(-1, 3)[pixels].astype(attributes.dtype, copy=False)
    result = attributes[corners[:, 0]] * weights[:, :1]
    result += attributes[corners[:, 1]] * weights[:, 1:2]
    result += attributes[corners[:, 2]] * weights[:, 2:]
    return result
