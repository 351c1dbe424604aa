# SPDX-License-Identifier: Apache-2.0
"""The skin of a photo as a texture: every texel looks where its point of the head lies in the picture.

What the camera does not see is taken from the other half of the face where the mesh is the same on both sides, and
what is hidden there too (the neck's back, the scalp) is filled with the skin's own colour, softly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.decode import project
from ..heads.head_model import HeadModel
from ..heads.likeness import mirror_order
from .raster import rasterize

__all__ = ["PhotoTexture", "project_photo"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_SKIN = ("skin", "lips")
_THIN = ("lash", "brow", "hair")  # strips that hide nothing
_BIAS = 0.004  # metres by which a point may lie behind the surface seen and still count as seen
_DEPTH_SIZE = 1000  # px of the longer side of the depth map; finer says no more about what hides what
_PRIOR = 0.003  # weight of the skin's median colour everywhere
_FADE = 0.3  # how much nearer to it a fill comes with every doubling of the distance


@dataclass(frozen=True)
class PhotoTexture:
    """A texture and where it is from.

    Attributes:
        image: (S, S, 3) uint8 sRGB, top row first: v of the UVs runs up.
        coverage: (S, S) float32, 1 where the photo was seen (or mirrored), 0 where it is filled.
        tone: (3,) float, sRGB in 0..1, the median colour of the skin seen.
    """

    image: npt.NDArray[np.uint8]
    coverage: npt.NDArray[np.float32]
    tone: Floats


@dataclass(frozen=True)
class _View:
    """What is known per vertex and of the picture."""

    points: Floats
    facing: Floats
    mask: Floats
    outer: Floats
    depth: Floats
    shrink: float
    bias: float
    picture: npt.NDArray[np.uint8]


def project_photo(
    model: HeadModel,
    vertices: Floats,
    camera: Floats,
    picture: npt.NDArray[np.uint8],
    *,
    size: int = 1024,
    mirror: bool = True,
) -> PhotoTexture:
    """Paint the texture of a head from a picture that shows it.

    Args:
        model: the head, with UVs.
        vertices: (V, 3) metres, posed as in the picture.
        camera: (3,) scale px/m, tx, ty of the picture.
        picture: (H, W, 3) uint8 sRGB.
        size: pixels of the square texture.
        mirror: fill what is hidden from the other half of the face.

    Raises:
        TakeError: the head has no UVs, or nothing of its skin is seen in the picture.
    """
    if not len(model.uvs):
        raise TakeError(f"The head '{model.name}' has no UVs, so it can carry no texture.")
    view = _look(model, vertices, camera, picture)
    codes = [i for i, n in enumerate(model.material_names) if n in _SKIN]
    skin = np.isin(model.polygon_materials[model.triangle_polygons], codes)
    triangles, uv_triangles = model.triangles[skin], model.triangle_uvs[skin]
    places = np.stack(
        [model.uvs[:, 0] * size - 0.5, (1 - model.uvs[:, 1]) * size - 0.5, np.zeros(len(model.uvs))], axis=1
    )
    raster = rasterize(places, uv_triangles, size, size, cull=False)
    texels = np.flatnonzero(raster.covered.ravel())
    corners = triangles[raster.triangle.ravel()[texels]]
    shares = raster.barycentric.reshape(-1, 3)[texels].astype(np.float64)

    colour, weight = _sample(view, corners, shares)
    outer = (shares * view.outer[corners]).sum(axis=1)
    if float(weight.max(initial=0.0)) < 0.05:
        raise TakeError("Nothing of the face is seen in this frame: choose another one.")
    seen = weight * (outer < 0.1) >= 0.6 * float((weight * (outer < 0.1)).max())
    tone = np.median(colour[seen], axis=0)
    weight = weight * (1 - outer * _unlike(colour, tone))
    if mirror:
        order = _order(model)
        if order is not None:
            other, other_weight = _sample(view, order[corners], shares)
            other_weight = other_weight * (1 - outer * _unlike(other, tone))
            both = (weight > 0.3) & (other_weight > 0.3)
            if both.sum() > 50:  # the halves are lit differently
                other = other * np.clip(np.median(colour[both] / np.maximum(other[both], 1), axis=0), 0.6, 1.6)
            other_weight = other_weight * (1 - weight) * 0.9
            total = np.maximum(weight + other_weight, 1e-9)
            colour = (weight[:, None] * colour + other_weight[:, None] * other) / total[:, None]
            weight = np.clip(weight + other_weight, 0, 1)
    image, coverage = np.zeros((size * size, 3)), np.zeros(size * size)
    image[texels], coverage[texels] = colour, weight
    image, coverage = image.reshape(size, size, 3), coverage.reshape(size, size)
    filled = _spread(image, coverage, tone)
    image = filled + coverage[..., None] * (image - filled)
    return PhotoTexture(np.clip(np.rint(image), 0, 255).astype(np.uint8), coverage.astype(np.float32), tone / 255)


def _order(model: HeadModel) -> Ints | None:
    try:
        return mirror_order(model)
    except TakeError:
        return None


def _look(model: HeadModel, vertices: Floats, camera: Floats, picture: npt.NDArray[np.uint8]) -> _View:
    """Vertices in the picture, how much they face it, and the depth of what it shows."""
    vertices = np.asarray(vertices, np.float64)
    points = project(vertices[None], np.asarray(camera, np.float64)[None])[0]
    a, b, c = (vertices[model.triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, model.triangles[:, k], across)
    facing = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    thin = [i for i, n in enumerate(model.material_names) if n in _THIN]
    solid = ~np.isin(model.polygon_materials[model.triangle_polygons], thin)
    height, width = picture.shape[:2]
    shrink = min(1.0, _DEPTH_SIZE / max(height, width))
    small = points * shrink
    depth = rasterize(
        small, model.triangles[solid], max(1, round(width * shrink)), max(1, round(height * shrink))
    ).depth
    return _View(
        points, facing, _soft_face(model), _outer(model), depth, shrink, _BIAS * float(camera[0]) * shrink, picture
    )


def _soft_face(model: HeadModel) -> Floats:
    """(V,) 1 on the face and ears, fading to 0 within a few rings of vertices: hair is no skin."""
    mask = np.zeros(len(model.template))
    for name in ("face", "lips", "nose", "cheeks", "forehead"):
        if name in model.regions:
            mask = np.maximum(mask, model.regions[name])
    if not mask.any():
        return np.ones(len(mask))
    corners = model.triangles
    pairs = np.unique(
        np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1), axis=0
    )
    a, b = pairs.T
    neighbours = np.maximum(np.bincount(pairs.ravel(), minlength=len(mask)), 1)
    for _ in range(8):
        around = (np.bincount(a, mask[b], len(mask)) + np.bincount(b, mask[a], len(mask))) / neighbours
        mask = np.minimum(0.5 * mask + 0.5 * around, mask + 1e-3)  # inwards only
    return _step(0.35, 0.95, mask)


def _outer(model: HeadModel) -> Floats:
    """(V,) 1 around the face, where hair, hats and collars may be, 0 within, where dark means something else."""
    rest = model.template.astype(np.float64)
    left, right = (model.joint_regressor[model.joint_names.index(n)] @ rest for n in ("left_eye", "right_eye"))
    place = (rest - (left + right) / 2) / np.linalg.norm(left - right)
    beside, above, below = np.abs(place[:, 0]), place[:, 1], -place[:, 1]
    # Beside the eyes the brows reach far out; below them nothing dark does.
    rim = np.where(below > 0.25, _step(0.72, 0.9, beside), _step(0.95, 1.15, beside))
    return np.maximum(np.maximum(rim, _step(0.5, 0.7, above)), _step(1.6, 1.8, below))


def _unlike(colour: Floats, tone: Floats) -> Floats:
    """(n,) 1 where a colour is far from the skin's, 0 where it is that of skin in light or shade."""
    ratio = np.log((colour + 10.0) / (tone + 10.0))
    distance = np.abs(ratio).mean(axis=1) + 2.0 * ratio.std(axis=1)  # another hue says more than another brightness
    return _step(0.45, 0.8, distance)


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _sample(view: _View, corners: Ints, shares: Floats) -> tuple[Floats, Floats]:
    """Colour (n, 3) and trust (n,) of the picture at n points, given by corner vertices and their shares."""

    def mean(values: Floats) -> Floats:
        return np.einsum("nk,nk...->n...", shares, values[corners])

    place, facing, mask = mean(view.points), mean(view.facing), mean(view.mask)
    height, width = view.picture.shape[:2]
    u, v = place[:, 0], place[:, 1]
    edge = np.minimum(np.minimum(u, width - 1 - u), np.minimum(v, height - 1 - v)) / (0.01 * max(width, height))
    weight = _step(0.2, 0.65, facing) * mask * np.clip(edge, 0, 1)
    rows, columns = view.depth.shape
    near = view.shrink * place
    column = np.clip(np.rint(near[:, 0]), 1, columns - 2).astype(np.int64)
    row = np.clip(np.rint(near[:, 1]), 1, rows - 2).astype(np.int64)
    lit = np.zeros(len(u))
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            lit += view.depth[row + dv, column + du] > near[:, 2] - view.bias
    weight = weight * _step(0.4, 1.0, lit / 9)
    u, v = np.clip(u, 0, width - 1.001), np.clip(v, 0, height - 1.001)
    x, y = u.astype(np.int64), v.astype(np.int64)
    fx, fy = (u - x)[:, None], (v - y)[:, None]
    pixels = view.picture
    top = pixels[y, x] * (1 - fx) + pixels[y, x + 1] * fx
    bottom = pixels[y + 1, x] * (1 - fx) + pixels[y + 1, x + 1] * fx
    return top * (1 - fy) + bottom * fy, weight


def _spread(image: Floats, weight: Floats, tone: Floats) -> Floats:
    """(S, S, 3) a smooth continuation of the known texels into the others, towards ``tone`` far from them.

    Method: means of 2 x 2 texels up a pyramid, then back down, each level filling what the one above could not.
    """
    if min(weight.shape) <= 1 or weight.shape[0] % 2 or weight.shape[1] % 2:
        total = weight.sum() + _PRIOR
        return np.broadcast_to(((weight[..., None] * image).sum((0, 1)) + _PRIOR * tone) / total, image.shape)
    half = (weight.shape[0] // 2, 2, weight.shape[1] // 2, 2)
    heavy = weight.reshape(half).sum((1, 3))
    mean = (weight[..., None] * image).reshape(*half, 3).sum((1, 3)) / np.maximum(heavy, 1e-9)[..., None]
    share = np.clip(heavy, 0, 1)
    above = (1 - _FADE) * _spread(mean, share, tone) + _FADE * tone
    coarse = above + share[..., None] * (mean - above)
    fine = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    padded = np.pad(fine, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] + 2 * padded[1:-1, 1:-1]) / 6
