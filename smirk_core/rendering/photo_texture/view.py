# SPDX-License-Identifier: Apache-2.0
"""One picture and the head in it: the colour at any place of the skin, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import TakeError
from ...heads.decode import project
from ..raster import rasterize
from .colour import to_linear
from .surface import SkinSurface, carry, normals_of, step

__all__ = ["PhotoView", "Sight", "look"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_BIAS = 0.004  # metres by which a point may lie behind the surface seen and still count as seen
_DEPTH_SIZE = 420  # px of the longer side of the depth map over the head
_JUMP = 0.008  # metres of depth between neighbours that make an outline
_OUTLINE = (0.002, 0.009)  # metres from an outline at which a texel begins to count, and counts fully
_OPENING = (0.0006, 0.0026)  # the same from an eyeball or the mouth's inside
_FACING = (0.2, 0.65)  # cosines between the skin and the camera, likewise
_CLIPPED = (0.93, 0.995)  # linear light at which the sensor says nothing any more


@dataclass(frozen=True)
class PhotoView:
    """A picture and the head that was fitted to it.

    Attributes:
        picture: (H, W, 3) uint8 sRGB.
        vertices: (V, 3) metres, posed as in the picture.
        camera: (3,) scale px/m, tx, ty.
    """

    picture: npt.NDArray[np.uint8]
    vertices: Floats
    camera: Floats


@dataclass(frozen=True)
class Sight:
    """A prepared view.

    Attributes:
        light: (h, w, 3) float32, the head's part of the picture as linear light, no finer than the texture.
        places: (V, 3) pixels in it, and depth in those pixels.
        normals: (V, 3), +z towards the camera.
        shrink: pixels of the depth map to one of ``light``; depth: (h', w'), in px of ``light``.
        outline, opening: (h', w') 1 where a texel is clear of outlines and of eyes and mouth, 0 on them.
        detail: pixels of the picture per texel in the middle of the face (<= 1 after shrinking), times its sharpness.
        bias: how far behind the depth map a place may lie.
        inside: (4,) left, top, right, bottom of the whole picture, in pixels of ``light``.
    """

    light: npt.NDArray[np.float32]
    places: Floats
    normals: Floats
    shrink: float
    depth: Floats
    outline: Floats
    opening: Floats
    detail: float
    bias: float
    inside: tuple[float, float, float, float]

    def trust(self, surface: SkinSurface, corners: Ints, shares: Floats) -> tuple[Floats, Floats]:
        """Place (N, 2) in ``light`` and trust (N,) 0..1 at places of the skin."""
        table = np.concatenate([self.places, self.normals[:, 2:], surface.face[:, None]], axis=1)
        known = carry(table, corners, shares)
        place, depth, facing, face = known[:, :2], known[:, 2], known[:, 3], known[:, 4]
        left, top, right, bottom = self.inside
        margin = 0.01 * max(right - left, bottom - top)
        edge = np.minimum(np.minimum(place[:, 0] - left, right - place[:, 0]),
                          np.minimum(place[:, 1] - top, bottom - place[:, 1])) / margin  # fmt: skip
        weight = step(*_FACING, facing) * face * np.clip(edge, 0, 1)
        some = np.flatnonzero(weight > 1e-4)
        near = self.shrink * place[some]
        rows, columns = self.depth.shape
        column = np.clip(np.rint(near[:, 0]), 1, columns - 2).astype(np.int64)
        row = np.clip(np.rint(near[:, 1]), 1, rows - 2).astype(np.int64)
        lit = np.zeros(len(some), np.float32)
        for dv, du in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)):
            lit += self.depth[row + dv, column + du] > depth[some] - self.bias
        weight[some] *= step(0.3, 1.0, lit / 5) * _bilinear(self.outline, near) * _bilinear(self.opening, near)
        return place, weight

    def colour(self, place: Floats) -> Floats:
        """(N, 3) float32 linear light at places (N, 2)."""
        return _bilinear(self.light, place)


def look(surface: SkinSurface, view: PhotoView) -> Sight:
    """Prepare a picture for the texture of a head.

    Raises:
        TakeError: the picture is no RGB picture, or the head is nowhere in it.
    """
    picture = view.picture
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise TakeError(f"A picture must be (height, width, 3) bytes, not {picture.shape} {picture.dtype}.")
    vertices, camera = np.asarray(view.vertices, np.float64), np.asarray(view.camera, np.float64)
    if vertices.shape != surface.model.template.shape or not np.isfinite(vertices).all():
        raise TakeError(f"The picture's head has {vertices.shape} numbers, the model {surface.model.template.shape}.")
    places = project(vertices[None], camera[None])[0]
    height, width = picture.shape[:2]
    skin = places[surface.skin, :2]
    low = np.clip(np.floor(skin.min(axis=0)) - 8, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(skin.max(axis=0)) + 9, 0, (width, height)).astype(int)
    if (high - low < 8).any():
        raise TakeError("Nothing of the face is seen in this frame: choose another one.")
    part = picture[low[1] : high[1], low[0] : high[0]]
    ratio = float(camera[0]) / surface.density  # pixels a texel
    fold = max(1, int(ratio / 1.1 + 0.25))
    light = _folded(part, fold)
    places = places.copy()
    places[:, :2] = (places[:, :2] - low - (fold - 1) / 2) / fold
    places[:, 2] /= fold
    scale = float(camera[0]) / fold
    inside = ((0 - low[0]) / fold, (0 - low[1]) / fold, (width - 1 - low[0]) / fold, (height - 1 - low[1]) / fold)
    shrink = min(1.0, _DEPTH_SIZE / max(light.shape[:2]))
    rows, columns = max(3, round(light.shape[0] * shrink)), max(3, round(light.shape[1] * shrink))
    small = places * [shrink, shrink, 1.0]
    raster = rasterize(small, surface.solid, columns, rows)
    outline, opening = _clearances(raster.triangle, raster.depth, len(surface.triangles), scale, shrink)
    return Sight(
        light, places, normals_of(vertices, surface.triangles), shrink, raster.depth, outline, opening,
        min(ratio, 1.0) * _sharpness(light), _BIAS * scale, inside,
    )  # fmt: skip


def _clearances(owner: Ints, depth: Floats, skins: int, scale: float, shrink: float) -> tuple[Floats, Floats]:
    """How clear of outlines, and of eyeballs and the mouth's inside, each pixel of the depth map is."""
    near = np.where(np.isfinite(depth), depth, 1e6)
    edge = np.zeros(near.shape, bool)
    for axis in (0, 1):
        jump = np.abs(np.diff(near, axis=axis)) > _JUMP * scale
        first = [slice(None), slice(None)]
        first[axis] = slice(0, -1)
        other = [slice(None), slice(None)]
        other[axis] = slice(1, None)
        edge[tuple(first)] |= jump
        edge[tuple(other)] |= jump
    metre = scale * shrink  # depth-map pixels a metre
    inner = owner >= skins
    return (
        step(_OUTLINE[0], _OUTLINE[1], _distance(edge, _OUTLINE[1] * metre) / metre),
        step(_OPENING[0], _OPENING[1], _distance(inner, _OPENING[1] * metre) / metre),
    )


def _distance(mask: npt.NDArray[np.bool_], most: float) -> Floats:
    """(h, w) roughly the pixels to the nearest True, up to ``most``: an octagon grown step by step."""
    steps = max(1, min(40, int(np.ceil(most))))
    found = np.where(mask, 0.0, steps + 1.0).astype(np.float32)
    grown = mask
    for k in range(1, steps + 1):
        wide = grown.copy()
        wide[1:] |= grown[:-1]
        wide[:-1] |= grown[1:]
        source = wide if k % 2 == 0 else grown  # a square every other step
        wide[:, 1:] |= source[:, :-1]
        wide[:, :-1] |= source[:, 1:]
        found[wide & ~grown] = k
        grown = wide
    return found


def _folded(part: npt.NDArray[np.uint8], fold: int) -> npt.NDArray[np.float32]:
    if fold == 1:
        return to_linear(part)
    rows, columns = -(-part.shape[0] // fold) * fold, -(-part.shape[1] // fold) * fold
    part = np.pad(part, ((0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0)), mode="edge")
    total = np.zeros((rows // fold, columns // fold, 3), np.float32)
    for v in range(fold):
        for u in range(fold):
            total += to_linear(part[v::fold, u::fold])
    return total / fold**2


def _sharpness(light: Floats) -> float:
    """How much of the contrast between pixels two apart is there between neighbours, 0.2 (blurred) .. 1."""
    grey = np.log(light[..., 1] + 0.02)
    near = float(np.abs(np.diff(grey, axis=1)).mean())
    far = float(np.abs(grey[:, 2:] - grey[:, :-2]).mean())
    return float(np.clip(2 * (near / max(far, 1e-9)) - 0.8, 0.2, 1.0))


def _bilinear(image: Floats, place: Floats) -> Floats:
    """(N,) or (N, C) float32 of an image (h, w) or (h, w, C) at (N, 2) columns and rows; its border repeats."""
    height, width = image.shape[:2]
    u = np.clip(place[:, 0], 0, width - 1.001).astype(np.float32)
    v = np.clip(place[:, 1], 0, height - 1.001).astype(np.float32)
    x, y = u.astype(np.int32), v.astype(np.int32)
    fx, fy = u - x, v - y
    if image.ndim == 3:
        fx, fy = fx[:, None], fy[:, None]
    flat = image.reshape(height * width, *image.shape[2:])
    k = y * width + x
    top = flat[k] * (1 - fx) + flat[k + 1] * fx
    bottom = flat[k + width] * (1 - fx) + flat[k + width + 1] * fx
    return top * (1 - fy) + bottom * fy
