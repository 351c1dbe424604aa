# SPDX-License-Identifier: Apache-2.0
"""Textures from photographs against the truth: a head with a known skin is pictured and its skin is taken back.

    python -m benchmarks.photo_truth [--size 1024] [--pixels 600]

The skin is the statistic's mean with a mode of it, moles, blotches and pores; the light is coloured, from one side,
with a highlight. Given are root mean square errors in sRGB bytes (of 255) where a picture shows the skin, where it was
mirrored, and where it was filled; the step of the error at the rim of what is seen; the difference across the cuts of
the unwrapping; and what the errors are when the pictures' own colours are projected without any of this.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.decode import decode, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.rendering.photo_texture import (
    PhotoTexture,
    PhotoView,
    SkinSurface,
    TextureOptions,
    blend_photos,
    skin_prior,
    skin_surface,
)
from smirk_core.rendering.photo_texture.colour import from_log, to_bytes, to_linear
from smirk_core.rendering.photo_texture.light import harmonics
from smirk_core.rendering.photo_texture.surface import carry, normals_of
from smirk_core.rendering.photo_texture.texture_grid import padded, pores, scattered
from smirk_core.rendering.raster import at_pixels, rasterize

__all__ = ["Errors", "errors_of", "known_skin", "picture_of"]

Floats = npt.NDArray[np.floating[Any]]
_LIGHT = np.array([  # harmonics of the light, a row each, per channel
    [0.75, 0.72, 0.7], [0.22, 0.22, 0.22], [0.15, 0.16, 0.18], [0.25, 0.24, 0.22], [0.02, 0.02, 0.02],
    [0.02, 0.02, 0.02], [0.03, 0.03, 0.03], [0.02, 0.02, 0.02], [0.05, 0.05, 0.05],
])  # fmt: skip
_WALL = (96, 110, 128)


@dataclass(frozen=True)
class Errors:
    """Root mean squares in sRGB bytes, after the one factor per channel that exposure leaves open.

    Attributes:
        seen, mirrored, filled: over the texels of each kind; nan where there are none.
        rim: mean step of the error, in bytes, between neighbouring vertices of which one is seen and one is not.
        inside: the same between seen neighbours.
        cut: mean difference across the cuts of the unwrapping, in bytes.
    """

    seen: float
    mirrored: float
    filled: float
    rim: float
    inside: float
    cut: float


def known_skin(surface: SkinSurface, seed: int = 3) -> Floats:
    """(S, S, 3) linear light: a skin with moles, blotches and pores, not the same on both sides."""
    prior = skin_prior(surface)
    rng = np.random.default_rng(seed)
    vertex = prior.mean + np.einsum("k,kvc->vc", rng.normal(0, 0.7, len(prior.modes)), prior.modes) + [0.3, 0.1, 0.0]
    log = carry(vertex, surface.corners, surface.shares) + 0.03 * pores(surface)[:, None]
    place = carry(surface.frame, surface.corners, surface.shares)
    for centre in place[rng.integers(0, len(place), 60)]:
        near = np.exp(-0.5 * ((place - centre) ** 2).sum(axis=1) / rng.uniform(0.02, 0.05) ** 2)
        log -= near[:, None] * np.array([0.3, 0.6, 0.7], np.float32)
    return padded(surface, scattered(surface, from_log(log)))


def picture_of(
    model: HeadModel, texture: Floats, yaw: float, pixels: int, *, gain: float = 1.0, shine: float = 0.1
) -> PhotoView:
    """The head in that skin, turned by ``yaw`` radians, in front of a wall.

    Args:
        model: the head.
        texture: (S, S, 3) linear light.
        pixels: side of the picture.
        gain: exposure.
        shine: light of the highlight.
    """
    vertices = np.asarray(decode(model, {"rotation": np.array([[0.0, yaw, 0.0]])}).vertices[0], np.float64)
    scale = pixels / 0.26
    middle = (vertices[model.regions["face"]].max(axis=0) + vertices[model.regions["face"]].min(axis=0)) / 2
    camera = np.array([scale, pixels / 2 - scale * middle[0], pixels / 2 + scale * middle[1]])
    names = np.array(model.material_names)[model.polygon_materials[model.triangle_polygons]]
    thin = np.array([any(word in n for word in ("lash", "brow", "hair", "cornea")) for n in names])
    triangles, corners = model.triangles[~thin], model.triangle_uvs[~thin]
    raster = rasterize(project(vertices[None], camera[None])[0], triangles, pixels, pixels)
    chosen = np.flatnonzero(raster.covered.ravel())
    owner = raster.triangle.ravel()[chosen]
    uv = at_pixels(raster, corners, model.uvs.astype(np.float64), chosen)
    size = len(texture)
    u, v = np.clip(uv[:, 0] * size - 0.5, 0, size - 1.01), np.clip((1 - uv[:, 1]) * size - 0.5, 0, size - 1.01)
    x, y = u.astype(int), v.astype(int)
    fx, fy = (u - x)[:, None], (v - y)[:, None]
    skin = (texture[y, x] * (1 - fx) + texture[y, x + 1] * fx) * (1 - fy)
    skin += (texture[y + 1, x] * (1 - fx) + texture[y + 1, x + 1] * fx) * fy
    normal = at_pixels(raster, triangles, normals_of(vertices, triangles), chosen)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = np.array([0.25, 0.3, 1.0]) / np.linalg.norm([0.25, 0.3, 1.0])
    light = skin * (harmonics(normal) @ _LIGHT) + shine * np.clip(normal @ half, 0, 1)[:, None] ** 60
    kind = names[~thin][owner]
    light[~np.isin(kind, ("skin", "lips"))] = 0.6
    picture = np.tile(np.array(_WALL, np.uint8), (pixels * pixels, 1))
    picture[chosen] = np.rint(to_bytes(np.clip(gain * light, 0, 1))).astype(np.uint8)
    return PhotoView(picture.reshape(pixels, pixels, 3), vertices, camera)


def errors_of(surface: SkinSurface, result: PhotoTexture, truth: Floats) -> Errors:
    """Compare a texture with the truth (S, S, 3), linear light."""
    found = to_linear(result.image).reshape(-1, 3)[surface.texels]
    right = truth.reshape(-1, 3)[surface.texels]
    seen = result.seen.ravel()[surface.texels]
    covered = result.coverage.ravel()[surface.texels]
    # How bright the light was nobody knows: one factor per channel is free.
    middle = seen > 0.8
    factor = np.median(right[middle] / np.maximum(found[middle], 1e-4), axis=0)
    off = to_bytes(np.clip(found * factor, 0, 1)) - to_bytes(np.clip(right, 0, 1))
    kinds = (seen > 0.5, (seen <= 0.5) & (covered > 0.5), covered <= 0.5)
    rms = [float(np.sqrt((off[k] ** 2).mean())) if k.any() else float("nan") for k in kinds]
    means, _ = surface.means(off, np.ones(len(off)))
    share, _ = surface.means(seen[:, None], np.ones(len(off)))
    a, b = surface.edges
    step = np.abs(means[a] - means[b]).mean(axis=1)
    crossing = (share[a, 0] > 0.5) != (share[b, 0] > 0.5)
    both = (share[a, 0] > 0.8) & (share[b, 0] > 0.8)
    return Errors(*rms, float(step[crossing].mean()), float(step[both].mean()), cut_difference(surface, result.image))


def cut_difference(surface: SkinSurface, image: npt.NDArray[np.uint8]) -> float:
    """Mean difference, in bytes, of the texture on both sides of the cuts of its unwrapping; nan where it has none."""
    model = surface.model
    chosen = np.isin(np.array(model.material_names)[model.polygon_materials[model.triangle_polygons]],
                     ("skin", "lips"))  # fmt: skip
    vertices, places = model.triangles[chosen], model.triangle_uvs[chosen]
    ends = np.concatenate([np.stack([vertices[:, k], vertices[:, (k + 1) % 3]], 1) for k in range(3)])
    uvs = np.concatenate([np.stack([places[:, k], places[:, (k + 1) % 3]], 1) for k in range(3)])
    turned = ends[:, 0] > ends[:, 1]
    ends[turned], uvs[turned] = ends[turned, ::-1], uvs[turned, ::-1]
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, uvs = ends[order], uvs[order]
    pair = np.flatnonzero((ends[1:] == ends[:-1]).all(axis=1) & (uvs[1:] != uvs[:-1]).any(axis=1))
    if not len(pair):
        return float("nan")
    sides = []
    for row in (pair, pair + 1):
        middle = model.uvs[uvs[row]].mean(axis=1)
        column = np.clip(np.rint(middle[:, 0] * surface.size - 0.5), 0, surface.size - 1).astype(int)
        line = np.clip(np.rint((1 - middle[:, 1]) * surface.size - 0.5), 0, surface.size - 1).astype(int)
        sides.append(image[line, column].astype(float))
    return float(np.abs(sides[0] - sides[1]).mean())


def plain_projection(model: HeadModel, views: Sequence[PhotoView], size: int) -> PhotoTexture:
    """The same pictures projected with their light, glare and whatever is before the skin."""
    options = TextureOptions(light=0.0, glare=False, occluders=False)
    return blend_photos(model, views, size=size, options=options)


def main() -> None:
    parser = argparse.ArgumentParser(description="Errors of textures from photographs on known skin.")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--pixels", type=int, default=600)
    given = parser.parse_args()
    model = load_head()
    surface = skin_surface(model, given.size)
    truth = known_skin(surface)
    turns = (0.0, 0.75, -0.75)
    views = [picture_of(model, truth, yaw, given.pixels, gain=g) for yaw, g in zip(turns, (1.0, 0.8, 1.2), strict=True)]
    print(f"{'pictures':28s} seen  mirrored filled  rim  inside  cut  seconds")
    for name, chosen in (("1, from the front", views[:1]), ("1, turned by 43 degrees", views[1:2]), ("3", views)):
        for how, make in (("", blend_photos), (" plain", plain_projection)):
            begin = time.process_time()
            result = make(model, chosen, size=given.size)
            spent = time.process_time() - begin
            e = errors_of(surface, result, truth)
            print(
                f"{name + how:28s} {e.seen:5.1f} {e.mirrored:6.1f} {e.filled:7.1f} {e.rim:6.2f} {e.inside:5.2f} "
                f"{e.cut:6.2f} {spent:6.1f}"
            )


if __name__ == "__main__":
    main()
