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
from .raster import Raster, at_pixels, rasterize
from .texture import TILE, HeadPaint, head_paint, light_basis, noise_tile, vertex_normals, visible_from

__all__ = ["Look", "render_head", "render_vertices", "shade_vertices"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Colour = tuple[float, float, float]

_MATERIALS: dict[str, Colour] = {
    "teeth": (0.86, 0.82, 0.73),
    "gum": (0.62, 0.30, 0.30),
    "tongue": (0.66, 0.33, 0.33),
    "mouth": (0.42, 0.16, 0.15),
}


def linear(colour: Floats | Colour) -> npt.NDArray[np.float32]:
    """sRGB in 0..1 to linear light."""
    c = np.asarray(colour, np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encoder(size: int = 4096, top: float = 4.0) -> npt.NDArray[np.uint8]:
    """Table from linear light 0..top to sRGB bytes: straight up to 0.6, then a soft shoulder instead of clipping."""
    x = np.linspace(0, top, size)
    x = np.where(x < 0.6, x, 0.6 + 0.4 * (1 - np.exp(-(x - 0.6) / 0.4)))
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.rint(255 * np.clip(y, 0, 1)).astype(np.uint8)


_ENCODE = _encoder()


def _encoded(light: Floats) -> npt.NDArray[np.uint8]:
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
        normals (V, 3), diffuse (V, 3) linear light, gloss (V, 1) light thrown back by a shiny skin.
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
    return normals, diffuse.astype(np.float32), (gloss + edge)[:, None].astype(np.float32)


def _albedo(model: HeadModel, paint: HeadPaint, look: Look) -> npt.NDArray[np.float32]:
    """(V, 3) linear skin paint that varies slowly over the face."""
    skin = np.broadcast_to(linear(look.skin), (len(paint.position), 3)).astype(np.float32)
    phase = np.random.default_rng(look.seed)
    waves = phase.normal(0, 2.2, (3, 12)).astype(np.float32)
    blotch = np.sin(paint.position @ waves + phase.uniform(0, 6.28, 12).astype(np.float32)).mean(axis=1)
    skin = skin * (1 + look.blotches * blotch[:, None] * np.array([0.5, 1.0, 0.9], np.float32))
    skin = skin * (1 - look.sockets * paint.sockets[:, None] * np.array([0.42, 0.5, 0.42], np.float32))
    skin = skin * (1 - look.flush * paint.flush[:, None] * np.array([0.02, 0.34, 0.3], np.float32))
    return np.clip(skin, 0.003, 1).astype(np.float32)


def render_head(
    model: HeadModel,
    parameters: Mapping[str, Floats],
    camera: Floats,
    width: int,
    height: int,
    look: Look | None = None,
    *,
    supersample: int = 2,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Paint one head.

    Args:
        model: any head; materials are taken from its material names.
        parameters: groups of one frame, each (size,) or (1, size), as for :func:`smirk_core.heads.decode.decode`.
        camera: (3,) scale px/m, tx, ty.
        width, height: picture size in pixels.
        look: colours and lamps; clay where none is given.
        supersample: 1, or samples per pixel and axis.

    Returns:
        image (H, W, 3) uint8 sRGB, not multiplied by alpha, and alpha (H, W) float32 in 0..1.
    """
    one = {k: np.atleast_2d(np.asarray(v)) for k, v in parameters.items() if v is not None}
    vertices = np.asarray(decode(model, one).vertices[0], np.float32)
    return render_vertices(model, vertices, camera, width, height, look, supersample=supersample)


def render_vertices(
    model: HeadModel,
    vertices: Floats,
    camera: Floats,
    width: int,
    height: int,
    look: Look | None = None,
    *,
    supersample: int = 2,
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

    solid = rasterize(points, triangles[paint.solid], width * s, height * s)
    solid = Raster(
        np.where(solid.triangle >= 0, paint.solid[solid.triangle], -1).astype(np.int32), solid.barycentric, solid.depth
    )
    seen = np.flatnonzero(solid.covered.ravel())
    light = np.zeros((height * s * width * s, 4), np.float32)
    if len(seen):
        albedo = _albedo(model, paint, look)
        light[seen, :3] = _pixels(model, paint, look, solid, seen, normals, diffuse, gloss, albedo)
        light[seen, 3] = 1
    _add_cards(model, paint, look, points, solid, diffuse, light, width * s, height * s)

    light = light.reshape(height, width * s, 4) if s == 1 else light.reshape(height, s, width * s, 4).mean(axis=1)
    light = light if s == 1 else light.reshape(height, width, s, 4).mean(axis=2)
    alpha = light[..., 3]
    colour = light[..., :3] / np.maximum(alpha, 1e-6)[..., None]
    return _encoded(colour), alpha


def _tile_at(seed: int, coordinates: Floats) -> Floats:
    """(P, 2) noise coordinates to (P, 4) noise; the seed also shifts the tile."""
    shift = np.random.default_rng(seed).random(2)
    index = ((coordinates + shift) * TILE).astype(np.int64) & (TILE - 1)
    return noise_tile(seed)[index[:, 1], index[:, 0]]


def _pixels(
    model: HeadModel,
    paint: HeadPaint,
    look: Look,
    raster: Raster,
    seen: Ints,
    normals: Floats,
    diffuse: Floats,
    gloss: Floats,
    albedo: Floats,
) -> Floats:
    """(P, 3) linear light of the pixels that see something."""
    columns = [diffuse, gloss, albedo]
    columns += [f[:, None] for f in (paint.lips, paint.brows, paint.beard, paint.hairline)]
    table = np.concatenate(columns, axis=1, dtype=np.float32)
    values = at_pixels(raster, model.triangles, table, seen)
    light, shine, colour = values[:, :3], values[:, 3:4], values[:, 4:7]
    lips, brows, beard, hair = values[:, 7:].T
    names, kind = model.material_names, paint.materials[raster.triangle.ravel()[seen]]

    def pixels_of(*words: str) -> Ints:
        codes = [i for i, name in enumerate(names) if any(w in name for w in words)]
        return np.flatnonzero(np.isin(kind, codes)) if codes else np.zeros(0, np.int64)

    if look.painted:
        corners = np.arange(3 * len(model.triangles)).reshape(-1, 3)
        noise = _tile_at(look.seed, at_pixels(raster, corners, paint.noise, seen))
        _paint_skin(look, colour, shine, noise, lips, brows, beard, hair)
    else:
        colour = colour * (1 - 0.25 * lips[:, None])
    for word, flat in _MATERIALS.items():
        own = pixels_of(word)
        if len(own):
            colour[own] = linear(flat)
            shine[own] = 0
    result = colour * light + shine
    eyes = pixels_of("eye", "iris", "pupil", "sclera", "cornea")
    if len(eyes):
        result[eyes] = _eye_pixels(model, paint, look, raster, seen[eyes], normals, light[eyes])
    return result


def _paint_skin(
    look: Look, colour: Floats, shine: Floats, noise: Floats, lips: Floats, brows: Floats, beard: Floats, hair: Floats
) -> None:
    """Freckles, pores, stubble, lips, brows and hair over the skin, in place."""
    blotch, spots, pores, strands = noise.T
    colour *= (1 + look.blotches * 0.14 * blotch + 0.03 * look.pores * pores)[:, None]
    freckle = np.clip(spots - 1.5, 0, 1) * look.freckles * (1 - lips)
    colour *= 1 - freckle[:, None] * np.array([0.35, 0.55, 0.65], np.float32)
    stubble = look.stubble * beard * np.clip(0.55 + 0.35 * spots, 0, 1)
    hair_colour, brow_colour = linear(look.hair_colour), linear(look.brow_colour)
    colour += (hair_colour * 1.2 - colour) * stubble[:, None]
    edge = np.clip(lips * 1.6 - 0.3, 0, 1) * look.lip_strength
    colour += (linear(look.lips) * (1 + 0.04 * pores)[:, None] - colour) * edge[:, None]
    shine *= (1 + 0.8 * edge + 0.12 * pores)[:, None]
    over = np.clip(look.brow_density * (2.2 * brows - 0.55) + 0.22 * strands * (brows > 0.1), 0, 1) * look.brow_paint
    colour += (brow_colour - colour) * over[:, None]
    cover = np.clip(0.5 + 9 * hair + 0.35 * strands * (hair > -0.12), 0, 1) * (hair > -0.2) * look.hair
    tone = hair_colour * (1 + 0.28 * strands)[:, None]
    colour += (np.clip(tone, 0.002, 1) - colour) * cover[:, None]
    shine *= (1 - 0.75 * cover * (1 - 0.4 * np.clip(strands, 0, 1)))[:, None]


def _eye_pixels(
    model: HeadModel, paint: HeadPaint, look: Look, raster: Raster, pixels: Ints, normals: Floats, light: Floats
) -> Floats:
    """White, iris with limbal ring and fibres, pupil, and the lamp mirrored in the cornea."""
    turn = paint.iris_angle * 2 * np.pi
    table = np.stack([paint.iris, np.cos(turn), np.sin(turn), paint.occlusion, *normals.T], axis=1)
    values = at_pixels(raster, model.triangles, table.astype(np.float32), pixels)
    radius, angle, normal = values[:, 0], np.arctan2(values[:, 2], values[:, 1]), values[:, 4:]
    light = light * (0.3 + 0.85 * values[:, 3:4])  # the lids' shade
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    white, iris = linear(look.sclera), linear(look.iris)
    fibres = 1 + 0.22 * np.sin(angle * 31 + look.seed) * np.sin(angle * 17) + 0.45 * np.clip(0.75 - radius, -0.3, 0.4)
    ring = 1 - 0.7 * np.clip((radius - 0.72) / 0.28, 0, 1) ** 2
    colour = np.where((radius < 1)[:, None], iris * (fibres * ring)[:, None], white)
    soft = np.clip((1.1 - radius) / 0.1, 0, 1)[:, None]
    colour = np.where((radius >= 1)[:, None], white * (1 - soft * 0.55), colour)
    colour = colour * np.where(radius < look.pupil, 0.03, 1.0)[:, None]
    direction = light_basis(np.asarray(look.key_direction))[2]
    half = direction + np.array([0.0, 0.0, 1.0])
    shine = np.clip(normal @ (half / np.linalg.norm(half)).astype(np.float32), 0, 1) ** 260
    return (colour * light + 1.1 * shine[:, None] * np.asarray(look.key, np.float32)).astype(np.float32)


def _add_cards(
    model: HeadModel,
    paint: HeadPaint,
    look: Look,
    points: Floats,
    solid: Raster,
    diffuse: Floats,
    light: Floats,
    width: int,
    height: int,
) -> None:
    """Blend lashes and brow strips over ``light`` (pixels, rgb and alpha), in place."""
    cards = np.flatnonzero(paint.card)
    if len(cards) == 0:
        return
    layer = rasterize(points, model.triangles[cards], width, height, cull=False)
    # A strip may lie a hair's breadth under the skin: let it through.
    near = 0.0006 * float(np.ptp(points[:, 1])) + 0.5
    front = np.flatnonzero(layer.covered.ravel() & (layer.depth < solid.depth + near).ravel())
    if len(front) == 0:
        return
    triangle = cards[layer.triangle.ravel()[front]]
    codes = [i for i, name in enumerate(model.material_names) if "brow" in name]
    brow = np.isin(paint.materials[triangle], codes)
    picked = Raster(np.where(layer.triangle >= 0, cards[layer.triangle], -1), layer.barycentric, layer.depth)
    arriving = at_pixels(picked, model.triangles, diffuse, front)
    if look.painted:
        opacity = np.where(brow, look.brow_density, look.lash)
        colour = np.where(brow[:, None], linear(look.brow_colour), linear(look.lash_colour))
    else:
        opacity = np.where(brow, 0.25, 0.35)
        colour = np.broadcast_to(linear(look.skin) * 0.35, (len(front), 3))
    opacity = opacity[:, None].astype(np.float32)
    light[front, :3] = light[front, :3] * (1 - opacity) + colour * arriving * opacity
    light[front, 3:] = light[front, 3:] * (1 - opacity) + opacity
