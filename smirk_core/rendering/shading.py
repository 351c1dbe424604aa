# SPDX-License-Identifier: Apache-2.0
"""Pictures of a head: paint, light, eyes and antialiasing on top of the rasteriser.

Light and low-frequency paint are computed per vertex, strands, freckles and irises per pixel. Colours are mixed in
linear light and encoded as sRGB at the end. Directions are in the camera frame: +x right in the picture for a viewer
facing the subject (the subject's left), +y up, +z towards the viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.decode import decode, project
from ..heads.head_model import HeadModel
from .looks import Look
from .pixel_paint import card_light, surface_light
from .raster import Raster, rasterize
from .relief import Relief, relief_light
from .texture import HeadPaint, head_paint, light_basis, vertex_normals, visible_from

__all__ = ["Look", "encoded", "render_head", "render_vertices", "shade_vertices"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def _encoder(size: int = 4096, top: float = 4.0) -> npt.NDArray[np.uint8]:
    """Table from linear light 0..top to sRGB bytes: straight up to 0.6, then a soft shoulder instead of clipping."""
    x = np.linspace(0, top, size)
    x = np.where(x < 0.6, x, 0.6 + 0.4 * (1 - np.exp(-(x - 0.6) / 0.4)))
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.rint(255 * np.clip(y, 0, 1)).astype(np.uint8)


_ENCODE = _encoder()


def encoded(light: Floats) -> npt.NDArray[np.uint8]:
    """Linear light, any shape, to sRGB bytes with a soft shoulder above 0.6."""
    return _ENCODE[np.clip(light * (4095 / 4.0), 0, 4095).astype(np.int32)]


def shade_vertices(
    paint: HeadPaint, vertices: Floats, triangles: Ints, look: Look
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Light arriving at each vertex.

    Args:
        paint: of the head model.
        vertices: (V, 3) metres in the camera frame.
        triangles: (F, 3) int.
        look: the lamps.

    Returns:
        normals (V, 3), diffuse (V, 3) linear light, gloss (V,) light thrown back by a shiny skin.
    """
    normals = vertex_normals(vertices, triangles, paint.gather)
    direction = light_basis(np.asarray(look.key_direction))[2].astype(np.float32)
    lit = np.ones(len(vertices), np.float32)
    if look.shadows:
        # The map is coarse; smoothing over the mesh takes its steps out of the shadow's edge.
        lit = visible_from(vertices, triangles[paint.solid], direction, bias=3.0)
        lit = np.asarray(paint.smooth @ (paint.smooth @ lit), np.float32)
    key = np.asarray(look.key, np.float32)
    facing = normals @ direction
    # Light bleeds through skin past the terminator, red furthest.
    wrap = look.wrap * np.array([1.0, 0.55, 0.4], np.float32)
    diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, None) * key
    diffuse *= (0.12 * look.wrap + (1 - 0.12 * look.wrap) * lit)[:, None]
    fill = light_basis(np.asarray(look.fill_direction))[2].astype(np.float32)
    diffuse += np.clip(normals @ fill * 0.8 + 0.2, 0, None)[:, None] * np.asarray(look.fill, np.float32)
    up = (0.5 + 0.5 * normals[:, 1])[:, None]
    sky, ground = np.asarray(look.sky, np.float32), np.asarray(look.ground, np.float32)
    # Crevices in skin glow red rather than going grey.
    open_sky = paint.occlusion[:, None] ** np.array([0.8, 1.0, 1.08], np.float32)
    diffuse += (ground + (sky - ground) * up) * open_sky
    diffuse *= (0.35 + 0.65 * paint.occlusion)[:, None]
    half = direction + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    shine = np.clip(normals @ half, 0, None)
    gloss = look.gloss * lit * (0.7 * shine**12 + 0.9 * shine**48) * paint.occlusion
    edge = (1 - np.clip(normals[:, 2], 0, 1)) ** 4 * look.gloss * 0.8 * paint.occlusion
    return normals, diffuse.astype(np.float32), (gloss + edge).astype(np.float32)


def render_head(
    model: HeadModel,
    parameters: Mapping[str, Floats],
    camera: Floats,
    width: int,
    height: int,
    look: Look | None = None,
    *,
    supersample: int = 2,
    relief: Relief | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Paint one head.

    Args:
        model: any head; materials are taken from its material names.
        parameters: groups of one frame, each (size,) or (1, size), as for :func:`smirk_core.heads.decode.decode`.
        camera: (3,) scale px/m, tx, ty.
        width, height: picture size in pixels.
        look: colours and lamps; clay where none is given.
        supersample: 1, or samples per pixel and axis.
        relief: wrinkles and other fine heights of the skin.

    Returns:
        image (H, W, 3) uint8 sRGB, not multiplied by alpha, and alpha (H, W) float32 in 0..1.
    """
    one = {k: np.atleast_2d(np.asarray(v)) for k, v in parameters.items() if v is not None}
    vertices = np.asarray(decode(model, one).vertices[0], np.float32)
    return render_vertices(model, vertices, camera, width, height, look, supersample=supersample, relief=relief)


def render_vertices(
    model: HeadModel,
    vertices: Floats,
    camera: Floats,
    width: int,
    height: int,
    look: Look | None = None,
    *,
    supersample: int = 2,
    relief: Relief | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """:func:`render_head` from decoded vertices (V, 3)."""
    look = Look.clay() if look is None else look
    paint, triangles, s = head_paint(model), model.triangles, supersample
    normals, diffuse, gloss = shade_vertices(paint, vertices, triangles, look)
    if look.hair > 0 and look.hair_volume > 0:
        vertices = vertices + normals * (np.clip(paint.hairline * 4, 0, 1) * look.hair * look.hair_volume)[:, None]
    scale, tx, ty = (float(c) for c in np.asarray(camera).ravel())
    shift = (s - 1) / 2  # the centre of a pixel is the centre of its s x s samples
    fine = np.array([[scale * s, tx * s + shift, ty * s + shift]], np.float32)
    points = project(vertices[None].astype(np.float32), fine)[0]

    solid = _renumbered(rasterize(points, triangles[paint.solid], width * s, height * s), paint.solid)
    light = np.zeros((4, height * s * width * s), np.float32)
    seen = np.flatnonzero(solid.covered.ravel())
    if len(seen):
        light[:3, seen] = surface_light(model, paint, look, solid, seen, normals, diffuse, gloss)
        if relief is not None:
            light[:3, seen] *= relief_light(model, relief, look, solid, seen, vertices, normals)
        light[3, seen] = 1
    cards = np.flatnonzero(paint.card)
    if len(cards):
        layer = _renumbered(rasterize(points, triangles[cards], width * s, height * s, cull=False), cards)
        # A strip may lie a hair's breadth under the skin: let it through.
        near = 0.0006 * float(np.ptp(points[:, 1])) + 0.5
        front = np.flatnonzero(layer.covered.ravel() & (layer.depth < solid.depth + near).ravel())
        if len(front):
            colour, opacity = card_light(model, paint, look, layer, front, diffuse)
            light[:3, front] += (colour - light[:3, front]) * opacity
            light[3, front] += (1 - light[3, front]) * opacity

    light = light.reshape(4, height, s, width, s).mean(axis=(2, 4)) if s > 1 else light.reshape(4, height, width)
    alpha = light[3]
    colour = light[:3] / np.maximum(alpha, 1e-6)
    return np.ascontiguousarray(encoded(colour).transpose(1, 2, 0)), alpha


def _renumbered(raster: Raster, numbers: Ints) -> Raster:
    """The raster of some triangles with their numbers in the whole mesh."""
    triangle = np.where(raster.triangle >= 0, numbers[raster.triangle], -1).astype(np.int32)
    return Raster(triangle, raster.barycentric, raster.depth)
