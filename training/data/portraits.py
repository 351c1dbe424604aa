# SPDX-License-Identifier: Apache-2.0
"""Real portraits with other expressions: the photo is the texture of the head that was fitted to it.

The head takes a new expression, a slightly new pose and light; each skin pixel looks up where its place on the surface
was in the photo. What lies around the face (hair, neck, background) is pulled along by the face's displacement, so that
there is no seam. Eyes, teeth and the mouth's inside are painted by the renderer, since the photo never showed them so.
The truth is exact: it is the head's own parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from smirk_core.rendering.looks import Look
from smirk_core.rendering.pixel_paint import surface_light
from smirk_core.rendering.raster import Raster, at_pixels, rasterize
from smirk_core.rendering.shading import encoded, shade_vertices
from smirk_core.rendering.texture import HeadPaint, head_paint, vertex_normals

from .fit import Fit
from .renders import Photograph, develop

__all__ = ["Portrait", "load_picture", "repose"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]
_GRID = 8  # pixels per cell of the displacement field


@dataclass(frozen=True)
class Portrait:
    """A photo and the head in it, ready to be worn.

    Attributes:
        picture: (H, W, 3) uint8.
        source: (V, 4) where each vertex and its mirror vertex are in the photo, pixels.
        hidden: (V,) float32, 1 for vertices that the photo shows only on the other side of the face.
        normals: (V, 3) in the photo's pose.
        identity: (1, K); rotation: (3,); camera: (3,) of the photo.
        look: paint for eyes and mouth in the photo's tones.
    """

    picture: Picture
    source: Floats
    hidden: Floats
    normals: Floats
    identity: Floats
    rotation: Floats
    camera: Floats
    look: Look

    @staticmethod
    def prepare(model: HeadModel, picture: Picture, fit: Fit, partner: npt.NDArray[np.integer[Any]]) -> Portrait:
        """Bind a photo to its fit. ``partner`` (V,) is the vertex on the other side of the face."""
        vertices = np.asarray(decode(model, fit.groups).vertices[0], np.float32)
        camera = fit.groups["camera"][0]
        mesh = project(vertices[None], camera[None].astype(np.float32))[0]
        paint = head_paint(model)
        normals = vertex_normals(vertices, model.triangles, paint.gather)
        facing = normals[:, 2]
        hidden = (facing < 0.12) & (facing[partner] > facing + 0.1)
        source = np.concatenate([mesh[:, :2], mesh[partner, :2]], axis=1)
        groups = fit.groups
        return Portrait(
            picture, source, hidden.astype(np.float32), normals, groups["identity"], groups["rotation"][0], camera,
            _tones(picture, mesh),
        )  # fmt: skip


def _tones(picture: Picture, mesh: Floats) -> Look:
    """A look whose eyes and teeth are about as bright as the photo's skin."""
    inside = (mesh[:, 0] > 0) & (mesh[:, 1] > 0)
    inside &= (mesh[:, 0] < picture.shape[1] - 1) & (mesh[:, 1] < picture.shape[0] - 1)
    at = mesh[inside].astype(int)
    level = float(np.percentile(picture[at[:, 1], at[:, 0]], 70)) / 255 if len(at) else 0.6
    light = float(np.clip(level / 0.7, 0.25, 1.2)) ** 2.0
    base = Look(shadows=False, hair=0.0, hair_volume=0.0, lash=0.0, brow_paint=0.0, brow_density=0.0)

    def dim(colour: tuple[float, float, float]) -> tuple[float, float, float]:
        r, g, b = (light * c for c in colour)
        return r, g, b

    return replace(base, key=dim(base.key), fill=dim(base.fill), sky=dim(base.sky), ground=dim(base.ground))


def _relight(portrait: Portrait, normals: Floats, rng: np.random.Generator) -> Floats:
    """(V,) brightness of the new picture over the old one under one random lamp."""
    direction = np.array([rng.normal(0, 0.8), rng.normal(0.3, 0.5), 1.0])
    direction /= np.linalg.norm(direction)
    ambient, lamp = 1.0, rng.uniform(0.1, 0.9)

    def shade(n: Floats) -> Floats:
        return ambient + lamp * np.clip(n @ direction, 0, None)

    return np.clip(shade(normals) / shade(portrait.normals), 0.5, 1.7)


def _pull_along(known: npt.NDArray[np.bool_], displacement: Floats, size: int) -> Floats:
    """(size, size, 2) displacement everywhere from where it is known, by smoothing on a coarse grid."""
    cells = size // _GRID
    shape = (cells, _GRID, cells, _GRID)
    weight = known.reshape(shape).mean((1, 3)).astype(np.float32)
    total = (displacement * known[..., None]).reshape(*shape, 2).mean((1, 3))
    filled = np.zeros((cells, cells, 2), np.float32)
    trust = np.zeros((cells, cells), np.float32)
    for sigma in (1.0, 3.0, 9.0):  # near the face follow it closely, far away on average
        w = gaussian_filter(weight, sigma, mode="nearest")
        share = np.clip(w * 6, 0, 1) * (1 - trust)
        mean = np.stack([gaussian_filter(total[..., c], sigma, mode="nearest") for c in (0, 1)], -1)
        filled += share[..., None] * mean / np.maximum(w, 1e-6)[..., None]
        trust += share
    filled /= np.maximum(trust, 1e-6)[..., None]
    image = [Image.fromarray(np.ascontiguousarray(filled[..., c])) for c in (0, 1)]
    return np.stack([np.asarray(i.resize((size, size), Image.Resampling.BICUBIC)) for i in image], -1)


def _sample(picture: Picture, u: Floats, v: Floats) -> Floats:
    """(P, 3) bilinear look-up in float32; beyond the border the border repeats."""
    h, w = picture.shape[:2]
    u, v = np.clip(u, 0, w - 1.001), np.clip(v, 0, h - 1.001)
    i, j = v.astype(np.int32), u.astype(np.int32)
    a, b = (v - i).astype(np.float32)[..., None], (u - j).astype(np.float32)[..., None]
    flat = picture.reshape(-1, 3)
    k = i * w + j
    top = flat[k] * (1 - b) + flat[k + 1] * b
    low = flat[k + w] * (1 - b) + flat[k + w + 1] * b
    return top * (1 - a) + low * a


def _kinds(model: HeadModel, paint: HeadPaint) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(F,) triangles of the face's skin, and those that the renderer paints (eyes, mouth)."""
    names = np.array(model.material_names)
    skin = np.array([("skin" in n or "lip" in n) for n in names])[paint.materials]
    away = np.zeros(len(model.template), bool)
    for region in ("ears", "scalp", "neck"):
        away |= model.regions.get(region, np.zeros(len(away), bool))
    return skin & ~away[model.triangles].all(1), ~skin


def repose(
    model: HeadModel, portrait: Portrait, weights: Floats, turn: Floats, rng: np.random.Generator, size: int = 224
) -> Photograph:
    """The person of a portrait with another expression, pose and light.

    Args:
        model: the head.
        portrait: who.
        weights: (52,) ARKit weights.
        turn: (3,) rotation vector applied after the photo's own pose.
        rng: decides framing, light and film.
        size: pixels, square, a multiple of 8.
    """
    rotation = rotvec_from_matrix(matrix_from_rotvec(turn) @ matrix_from_rotvec(portrait.rotation))
    groups = groups_from_arkit(model, weights[None]) | {"identity": portrait.identity, "rotation": rotation[None]}
    vertices = np.asarray(decode(model, groups).vertices[0], np.float32)
    eyes = (model.joint_regressor[3] + model.joint_regressor[4]) / 2 @ vertices
    scale = size * rng.uniform(3.0, 5.2)
    middle = size / 2 + rng.normal(0, 0.04 * size, 2)
    camera = np.array([scale, middle[0] - scale * eyes[0], middle[1] + scale * (eyes[1] - 0.03)])
    mesh = project(vertices[None], camera[None].astype(np.float32))[0]
    paint = head_paint(model)
    raster = rasterize(mesh, model.triangles[paint.solid], size, size)
    owner = np.where(raster.covered, paint.solid[raster.triangle], -1).astype(np.int32)
    raster = Raster(owner, raster.barycentric, raster.depth)
    # Ears, scalp and neck rarely lie where hair and collars are: they are pulled along like the background.
    face, painted = _kinds(model, paint)
    flat = owner.ravel()
    skin = np.flatnonzero((flat >= 0) & face[flat])
    inner = np.flatnonzero((flat >= 0) & painted[flat])

    normals, diffuse, gloss = shade_vertices(paint, vertices, model.triangles, portrait.look)
    table = np.column_stack([portrait.source, portrait.hidden, _relight(portrait, normals, rng)]).astype(np.float32)
    values = at_pixels(raster, model.triangles, table, skin)
    mirrored = values[:, 4] > 0.5
    looked_up = np.where(mirrored[:, None], values[:, 2:4], values[:, 0:2])
    row, column = np.divmod(skin, size)
    place = np.stack([column, row], 1).astype(np.float32)
    known = np.zeros(size * size, bool)
    known[skin] = ~mirrored
    displacement = np.zeros((size * size, 2), np.float32)
    # Source pixel minus the plain zoom from this framing to the photo's; what is left is what moved.
    zoom = portrait.camera[0] / scale
    origin = portrait.camera[1:] - zoom * camera[1:]
    displacement[skin] = looked_up - (zoom * place + origin)
    pulled = _pull_along(known.reshape(size, size), displacement.reshape(size, size, 2), size).reshape(-1, 2)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2)
    source = zoom * grid + origin + pulled
    source[skin] = looked_up
    # Coarser framing than the photo: average it down first, or it aliases.
    picture, shrink = portrait.picture, 1.0
    if zoom > 1.4:
        shrink = 1 / zoom
        small = (max(2, round(picture.shape[1] * shrink)), max(2, round(picture.shape[0] * shrink)))
        picture = np.asarray(Image.fromarray(picture).resize(small, Image.Resampling.BOX))
    out = _sample(picture, source[:, 0] * shrink, source[:, 1] * shrink)
    brightness = np.ones(size * size, np.float32)
    brightness[skin] = values[:, 5]
    out *= brightness[:, None]
    if len(inner):
        light = surface_light(model, paint, portrait.look, raster, inner, normals, diffuse, gloss)
        out[inner] = encoded(light.T)
    out = np.clip(out, 0, 255).astype(np.uint8).reshape(size, size, 3)
    return Photograph(develop(out, rng), mesh, groups | {"camera": camera[None]})


def load_picture(path: Path) -> Picture:
    """(H, W, 3) uint8 RGB."""
    return np.asarray(Image.open(path).convert("RGB"))
