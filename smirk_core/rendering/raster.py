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

__all__ = ["Raster", "at_pixels", "channels_at", "coverage", "interpolate", "rasterize"]

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


def _three(triangles: Ints, values: Floats) -> tuple[Floats, Floats, Floats]:
    """(V,) values at the three corners; separate arrays are several times faster than rows of three."""
    return values[triangles[:, 0]], values[triangles[:, 1]], values[triangles[:, 2]]


def _visible(points: Floats, triangles: Ints, width: int, height: int, cull: bool) -> Ints:
    """Numbers of the triangles that may cover a pixel."""
    with np.errstate(invalid="ignore", over="ignore"):
        (u0, u1, u2), (v0, v1, v2) = _three(triangles, points[:, 0]), _three(triangles, points[:, 1])
        # v points down, so a triangle that is counter-clockwise from outside has a negative area here.
        area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
        keep = np.flatnonzero(area < 0 if cull else area != 0)
        u0, u1, u2, v0, v1, v2 = (value[keep] for value in (u0, u1, u2, v0, v1, v2))
        low_u, high_u = np.minimum(np.minimum(u0, u1), u2), np.maximum(np.maximum(u0, u1), u2)
        low_v, high_v = np.minimum(np.minimum(v0, v1), v2), np.maximum(np.maximum(v0, v1), v2)
        # Tests of the form "a pixel centre lies in the half-open box"; NaN and infinity fail them.
        fine = (np.ceil(low_u) < np.ceil(high_u)) & (np.ceil(low_v) < np.ceil(high_v))
        fine &= (high_u > 0) & (low_u <= width - 1) & (high_v > 0) & (low_v <= height - 1)
        fine &= (low_u > -_FAR) & (low_v > -_FAR) & (high_u < _FAR) & (high_v < _FAR)
        z0, z1, z2 = _three(triangles[keep], points[:, 2])
        fine &= np.isfinite(z0 + z1 + z2)
    return keep[fine]


@dataclass(frozen=True)
class _Spans:
    """Runs of covered pixels: ``count`` pixels from ``start`` in ``row``, of triangle ``owner``; each (S,) int."""

    owner: Ints
    row: Ints
    start: Ints
    count: Ints

    def pieces(self) -> Iterator[_Spans]:
        """The same spans in pieces of about ``_CHUNK`` pixels."""
        total = np.cumsum(self.count)
        cuts = np.searchsorted(total, np.arange(_CHUNK, total[-1], _CHUNK)) if len(total) else np.array([], int)
        for a, b in zip([0, *cuts], [*cuts, len(total)], strict=True):
            if a < b:
                yield _Spans(self.owner[a:b], self.row[a:b], self.start[a:b], self.count[a:b])


def _spans(points: Floats, triangles: Ints, width: int, height: int) -> _Spans:
    """Pixel rows of triangles that passed :func:`_visible`; the owner is a row of ``triangles``.

    A triangle is two halves, above and below its middle corner, each between the long edge and a short one. An edge
    is (column, row, slope) of its upper end: column + slope * (r - row). That is the same number in both triangles
    that share the edge, and exact at its end, so all edges that meet on a pixel centre agree about that pixel.
    """
    u, v = np.stack(_three(triangles, points[:, 0])), np.stack(_three(triangles, points[:, 1]))
    order = np.argsort(v, axis=0, kind="stable")
    (top, middle, bottom), v = np.take_along_axis(u, order, axis=0), np.take_along_axis(v, order, axis=0)
    v0, v1, v2 = v
    with np.errstate(divide="ignore", invalid="ignore"):
        # A horizontal edge gets an infinite or undefined slope here and no rows below, so it is never used.
        slopes = (bottom - top) / (v2 - v0), (middle - top) / (v1 - v0), (bottom - middle) / (v2 - v1)
    long_left = (bottom - top) * (v1 - v0) < (middle - top) * (v2 - v0)
    cuts = np.clip(np.ceil(v), 0, height).astype(np.int64)
    first, rows = cuts[:2].ravel(), np.diff(cuts, axis=0).ravel()
    used = np.flatnonzero(rows > 0)
    first, rows = first[used], rows[used]
    owner = np.tile(np.arange(len(triangles)), 2)[used]
    long = [value[owner] for value in (top, v0, slopes[0])]
    short = [np.concatenate(pair)[used] for pair in ((top, middle), (v0, v1), slopes[1:])]
    left_is_long = long_left[owner]

    half = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(half)) + np.repeat(first - (np.cumsum(rows) - rows), rows)

    def crossing(one: list[Floats], other: list[Floats]) -> Ints:
        """First column at or right of the edge in every row, within 0..width."""
        column, begin, slope = (np.where(left_is_long, a, b)[half] for a, b in zip(one, other, strict=True))
        return np.clip(np.ceil(column + slope * (row - begin)), 0, width).astype(np.int64)

    start = crossing(long, short)
    count = crossing(short, long) - start
    filled = np.flatnonzero(count > 0)
    return _Spans(owner[half[filled]], row[filled], start[filled], count[filled])


def coverage(points: Floats, triangles: Ints, width: int, height: int, cull: bool = True) -> npt.NDArray[np.int64]:
    """(H, W) how many triangles cover each pixel, whatever their depth; arguments as in :func:`rasterize`."""
    points, triangles = _checked(points, triangles, width, height)
    kept = triangles[_visible(points, triangles, width, height, cull)]
    hits = np.zeros(width * height, np.int64)
    for spans in _spans(points, kept, width, height).pieces():
        begin = spans.row * width + spans.start - (np.cumsum(spans.count) - spans.count)
        pixel = np.repeat(begin, spans.count) + np.arange(spans.count.sum())
        hits += np.bincount(pixel, minlength=width * height)
    return hits.reshape(height, width)


def _gradients(points: Floats, triangles: Ints) -> Floats:
    """(M, 9) float64 per triangle: (value at column 0 and row 0, per column, per row) of weights 1 and 2 and of depth.

    None is degenerate: :func:`_visible` has taken those out.
    """
    (u0, u1, u2), (v0, v1, v2), (z0, z1, z2) = (_three(triangles, points[:, k]) for k in range(3))
    au, av, bu, bv = u1 - u0, v1 - v0, u2 - u0, v2 - v0
    inverse = 1.0 / (au * bv - av * bu)
    w1u, w1v, w2u, w2v = bv * inverse, -bu * inverse, -av * inverse, au * inverse
    w1, w2 = -(w1u * u0 + w1v * v0), -(w2u * u0 + w2v * v0)
    z1, z2 = z1 - z0, z2 - z0
    depth = (z0 + w1 * z1 + w2 * z2, w1u * z1 + w2u * z2, w1v * z1 + w2v * z2)
    return np.stack([w1, w1u, w1v, w2, w2u, w2v, *depth], axis=1)


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
    kept = _visible(points, triangles, width, height, cull)
    gradients = _gradients(points, triangles[kept])
    # One 64-bit key per pixel, depth in the upper half and the triangle in the lower: its minimum is the z-test.
    keys = np.full(width * height, _EMPTY, np.int64)
    for spans in _spans(points, triangles[kept], width, height).pieces():
        at, across, down = gradients[spans.owner, 6:].T
        before = np.cumsum(spans.count) - spans.count
        number = np.arange(before[-1] + spans.count[-1])
        pixel = np.repeat(spans.row * width + spans.start - before, spans.count) + number
        depth = np.repeat(at + across * (spans.start - before) + down * spans.row, spans.count)
        depth += np.repeat(across, spans.count) * number
        key = _ordered(depth.astype(np.float32).view(np.int32)).astype(np.int64)
        key <<= 32
        key |= np.repeat(spans.owner, spans.count)
        np.minimum.at(keys, pixel, key)
    return _resolve(keys.reshape(height, width), kept, gradients)


def _ordered(bits: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Bits of a float32 to an integer that sorts like it, and back: below the sign, negative ones are turned over."""
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def _resolve(keys: npt.NDArray[np.int64], kept: Ints, gradients: Floats) -> Raster:
    """Winning keys (H, W) to triangle, barycentric weights and depth."""
    triangle = np.full(keys.shape, -1, np.int32)
    barycentric = np.zeros((*keys.shape, 3), np.float32)
    depth = np.full(keys.shape, np.inf, np.float32)
    row, column = np.nonzero(keys != _EMPTY)
    seen = row * keys.shape[1] + column
    key = keys.ravel()[seen]
    winner = key & 0xFFFFFFFF
    triangle.ravel()[seen] = kept[winner]
    depth.ravel()[seen] = _ordered((key >> 32).astype(np.int32)).view(np.float32)
    of = np.take(gradients, winner, axis=0)
    weights = np.zeros((len(seen), 3), np.float32)
    weights[:, 1] = of[:, 0] + of[:, 1] * column + of[:, 2] * row
    weights[:, 2] = of[:, 3] + of[:, 4] * column + of[:, 5] * row
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    barycentric.reshape(-1, 3)[seen] = weights
    return Raster(triangle, barycentric, depth)


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
    corners = np.take(triangles, raster.triangle.ravel()[pixels], axis=0)
    weights = raster.barycentric.reshape(-1, 3)[pixels].astype(attributes.dtype, copy=False)
    return np.einsum("pk,pkc->pc", weights, np.take(attributes, corners, axis=0))


def channels_at(raster: Raster, triangles: Ints, channels: Floats, pixels: Ints) -> Floats:
    """(C, V) channels to (C, P): as :func:`at_pixels`, laid out so that work on one channel runs at full speed."""
    owner = raster.triangle.ravel()[pixels]
    weights = np.ascontiguousarray(raster.barycentric.reshape(-1, 3)[pixels].T, dtype=channels.dtype)
    corners = [np.take(triangles[:, k], owner) for k in range(3)]
    channels = np.ascontiguousarray(channels)
    result = np.zeros((len(channels), len(owner)), channels.dtype)
    part = np.zeros(len(owner), channels.dtype)
    for values, total in zip(channels, result, strict=True):
        for corner, weight in zip(corners, weights, strict=True):
            np.take(values, corner, out=part, mode="clip")  # "clip" lets NumPy write to ``out`` without a copy
            part *= weight
            total += part
    return result
