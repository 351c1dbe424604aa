# SPDX-License-Identifier: Apache-2.0
"""Work on the square texture itself: layers blended band by band, its islands' borders, mirrored texels, pores."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .surface import SkinSurface, carry

__all__ = ["blend_bands", "mirror_places", "padded", "pores", "sampled", "scattered"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_BANDS = 5  # octaves over which layers are blended; the smooth rest is matched on the mesh
_TILE = 256  # px of the tile of pores
_mirrors: dict[tuple[str, int, int], Ints] = {}


def scattered(surface: SkinSurface, values: Floats) -> npt.NDArray[np.float32]:
    """(S, S, C) float32 with (T, C) at the texels of skin and 0 elsewhere."""
    image = np.zeros((surface.size * surface.size, values.shape[1]), np.float32)
    image[surface.texels] = values
    return image.reshape(surface.size, surface.size, -1)


def _half(image: Floats) -> Floats:
    return 0.25 * (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2])


def _double(image: Floats) -> Floats:
    for axis in (0, 1):
        before = np.concatenate([image.take([0], axis), image.take(range(image.shape[axis] - 1), axis)], axis)
        after = np.concatenate([image.take(range(1, image.shape[axis]), axis), image.take([-1], axis)], axis)
        both = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis=axis + 1)
        shape = list(image.shape)
        shape[axis] *= 2
        image = both.reshape(shape)
    return image


def blend_bands(layers: list[Floats], weights: list[Floats], bands: int = _BANDS) -> Floats:
    """Blend layers (S, S, 3) with weights (S, S) so that fine detail switches over fast and broad tone slowly.

    Method: Burt and Adelson (1983), with weights that need not add up to 1: a layer is ignored where its weight is 0,
    and where all are the result is 0.
    """
    bands = min(bands, next(k for k in range(bands + 1) if layers[0].shape[0] % 2 ** (k + 1) or k == bands))
    if len(layers) == 1:
        return layers[0] * (weights[0] > 0)[..., None]
    images = [layer * (w > 0)[..., None] for layer, w in zip(layers, weights, strict=True)]
    known = [(w > 0).astype(np.float32) for w in weights]
    levels, now = [], list(weights)
    for _ in range(bands):
        fine = np.zeros_like(images[0])
        total = np.maximum(sum(now[1:], now[0]), 1e-9)
        below_images, below_known = [], []
        for image, there, w in zip(images, known, now, strict=True):
            share = _half(there)
            small = _half(image * there[..., None]) / np.maximum(share, 1e-6)[..., None]
            fine += ((w / total) * there)[..., None] * (image - _double(small))
            below_images.append(small)
            below_known.append((share > 0).astype(np.float32))
        levels.append((fine, np.maximum.reduce(known)[..., None]))
        images, known, now = below_images, below_known, [_half(w) for w in now]
    total = np.maximum(sum(now[1:], now[0]), 1e-9)
    result = sum(((w / total)[..., None] * i for i, w in zip(images[1:], now[1:], strict=True)),
                 (now[0] / total)[..., None] * images[0])  # fmt: skip
    for fine, there in reversed(levels):
        result = (_double(result) + fine) * there
    return result


def sampled(image: Floats, places: Ints) -> Floats:
    """(T, C) texels (S, S, C) at flat numbers (T,)."""
    return image.reshape(-1, image.shape[-1])[places]


def mirror_places(surface: SkinSurface) -> Ints | None:
    """(T,) for every texel the one at the mirror image of its place on the head, whatever the unwrapping is.

    A place whose mirror polygon is not on the mesh keeps its own. None where the mesh has no symmetry.
    """
    order = surface.mirror
    if order is None:
        return None
    model = surface.model
    key = (model.digest, surface.size, hash(model.uvs.tobytes()))
    if key in _mirrors:
        return _mirrors[key]
    # A vertex of one island may have two places in the texture; the polygon across knows which.
    uvs = model.polygon_uvs
    corners = model.polygons
    real = corners >= 0
    mirrored = np.where(real, order[np.maximum(corners, 0)], -1)
    keys = {tuple(row): i for i, row in enumerate(np.sort(corners, axis=1).tolist())}
    other = np.array([keys.get(tuple(row), -1) for row in np.sort(mirrored, axis=1).tolist()])
    there = other >= 0
    across, across_uvs = corners[other], uvs[other]
    match = mirrored[:, :, None] == across[:, None, :]  # (P, 4, 4)
    slot = match.argmax(axis=2)
    place = model.uvs[np.maximum(np.take_along_axis(across_uvs, slot, axis=1), 0)]  # (P, 4, 2)
    own = model.uvs[np.maximum(uvs, 0)]
    place = np.where(there[:, None, None], place, own)
    polygon = surface.polygons[surface.owner]
    uv = np.zeros((len(surface.texels), 2), np.float32)
    for k in range(3):
        slot = (corners[surface.polygons] == surface.triangles[:, k : k + 1]).argmax(axis=1)[surface.owner]
        uv += surface.shares[:, k : k + 1] * place[polygon, slot].astype(np.float32)
    size = surface.size
    column = np.clip(np.rint(uv[:, 0] * size - 0.5), 0, size - 1).astype(np.int64)
    row = np.clip(np.rint((1 - uv[:, 1]) * size - 0.5), 0, size - 1).astype(np.int64)
    if len(_mirrors) >= 3:
        _mirrors.clear()
    _mirrors[key] = row * size + column
    return _mirrors[key]


def padded(surface: SkinSurface, image: Floats, rings: int = 8) -> Floats:
    """(S, S, C) with every island grown outwards by some texels, and the rest filled from coarser levels.

    So neither filtering nor smaller versions of the texture ever mix in what lies beyond the skin.
    """
    known = np.zeros(surface.size * surface.size, np.float32)
    known[surface.texels] = 1
    known = known.reshape(surface.size, surface.size)
    return _pulled(image, known, image.reshape(-1, image.shape[-1])[surface.texels].mean(axis=0))


def _pulled(image: Floats, known: Floats, tone: Floats) -> Floats:
    size = known.shape[0]
    if size % 2 or size <= 2:
        weight = known[..., None]
        return weight * image + (1 - weight) * tone
    share = _half(known)
    small = _half(image * known[..., None]) / np.maximum(share, 1e-6)[..., None]
    below = _pulled(small, (share > 0).astype(np.float32), tone)
    return np.where(known[..., None] > 0, image, np.repeat(np.repeat(below, 2, axis=0), 2, axis=1))


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """(TILE, TILE) tileable noise of unit variance with the scale and the dark-in-light look of pores."""
    rng = np.random.default_rng(1)
    f = np.fft.fftfreq(_TILE) * _TILE
    radius = np.maximum(np.hypot(f[:, None], f[None]), 0.5)

    def band(low: float, high: float) -> Floats:
        gain = np.exp(-0.5 * (np.log(radius / np.sqrt(low * high)) / (0.5 * np.log(high / low))) ** 2)
        gain[0, 0] = 0
        wave = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_TILE, _TILE))) * gain).real
        return wave / wave.std()

    fine, middle, broad = band(36, 80), band(10, 30), band(2, 7)
    mixed = -np.abs(fine) * 0.8 + 0.5 * fine + 0.55 * middle + 0.6 * broad
    return ((mixed - mixed.mean()) / mixed.std()).astype(np.float32)


def pores(surface: SkinSurface, period: float = 0.03) -> Floats:
    """(T,) noise of unit variance on the skin, the same on both sides of a seam of the unwrapping.

    Method: a tile projected along x, y and z, mixed by the normal.

    Args:
        period: metres after which the tile repeats.
    """
    from .surface import normals_of

    template = surface.model.template.astype(np.float64)
    normals = normals_of(template, surface.triangles)
    table = np.concatenate([template / period, normals], axis=1)
    known = carry(table, surface.corners, surface.shares)
    place, towards = known[:, :3], known[:, 3:] ** 4
    towards /= np.maximum(np.sqrt((towards**2).sum(axis=1, keepdims=True)), 1e-6)
    total = np.zeros(len(place), np.float32)
    tile = _tile().ravel()
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        u = np.mod((place[:, a] + 0.37 * axis) * _TILE, _TILE).astype(np.int32) % _TILE
        v = np.mod((place[:, b] + 0.61 * axis) * _TILE, _TILE).astype(np.int32) % _TILE
        total += towards[:, axis] * tile[v * _TILE + u]
    return total
