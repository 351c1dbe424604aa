# SPDX-License-Identifier: Apache-2.0
"""The colour of single pixels of a head: skin with its marks, lips, hair, eyes, mouth, and see-through strips.

Channels come first, (3, P) for P pixels, so that NumPy works on long contiguous rows. Colours are linear light.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .looks import Look
from .raster import Raster, channels_at
from .texture import TILE, HeadPaint, light_basis, noise_tile

__all__ = ["card_light", "surface_light"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Colour = tuple[float, float, float]

_MATERIALS: dict[str, Colour] = {
    "teeth": (0.86, 0.82, 0.73),
    "gum": (0.62, 0.30, 0.30),
    "tongue": (0.66, 0.33, 0.33),
    "mouth": (0.42, 0.16, 0.15),
    "caruncle": (0.74, 0.45, 0.41),
}


def _linear(colour: Colour) -> npt.NDArray[np.float32]:
    """sRGB in 0..1 to linear light, (3, 1)."""
    c = np.array(colour, np.float64)[:, None]
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _column(*values: float) -> npt.NDArray[np.float32]:
    """(3, 1), to multiply channels."""
    return np.array(values, np.float32)[:, None]


def _albedo(paint: HeadPaint, look: Look) -> npt.NDArray[np.float32]:
    """(3, V) skin paint that varies slowly over the face."""
    phase = np.random.default_rng(look.seed)
    waves = phase.normal(0, 2.2, (3, 12)).astype(np.float32)
    blotch = np.sin(paint.position @ waves + phase.uniform(0, 6.28, 12).astype(np.float32)).mean(axis=1)
    skin = _linear(look.skin) * (1 + look.blotches * blotch * _column(0.5, 1.0, 0.9))
    skin = skin * (1 - look.sockets * paint.sockets * _column(0.42, 0.5, 0.42))
    skin = skin * (1 - look.flush * paint.flush * _column(0.02, 0.34, 0.3))
    return np.clip(skin, 0.003, 1).astype(np.float32)


def _noise_at(seed: int, turns: Floats, heights: Floats) -> Floats:
    """(4, P) noise at noise coordinates; the seed also shifts the tile."""
    shift = np.random.default_rng(seed).random(2)
    column = ((turns + shift[0]) * TILE).astype(np.int32) & (TILE - 1)
    row = ((heights + shift[1]) * TILE).astype(np.int32) & (TILE - 1)
    return np.take(noise_tile(seed).reshape(4, -1), row * TILE + column, axis=1)


def surface_light(
    model: HeadModel, paint: HeadPaint, look: Look, raster: Raster, seen: Ints,
    normals: Floats, diffuse: Floats, gloss: Floats,
) -> Floats:  # fmt: skip
    """Linear light of the pixels that see something solid.

    Args:
        model, paint, look: the head, what the painter knows about it, and the colours.
        raster: of the whole mesh, cards left out.
        seen: (P,) flat numbers of covered pixels.
        normals, diffuse, gloss: (V, 3), (V, 3) and (V,) from :func:`smirk_core.rendering.shading.shade_vertices`.

    Returns:
        (3, P) float32.
    """
    fields = np.stack([gloss, paint.lips, paint.brows, paint.beard, paint.hairline])
    channels = np.concatenate([diffuse.T, _albedo(paint, look), fields], dtype=np.float32)
    values = channels_at(raster, model.triangles, channels, seen)
    light, colour, (shine, lips, brows, beard, hair) = values[:3], values[3:6], values[6:]
    owner = raster.triangle.ravel()[seen]
    kind = paint.materials[owner]

    def pixels_of(*words: str) -> Ints:
        codes = np.array([any(w in name for w in words) for name in model.material_names], bool)
        return np.flatnonzero(codes[kind])

    if look.painted:
        weights = raster.barycentric.reshape(-1, 3)[seen]
        turns, heights = np.einsum("pk,pkc->cp", weights, np.take(paint.noise.reshape(-1, 3, 2), owner, axis=0))
        _paint_skin(look, colour, shine, _noise_at(look.seed, turns, heights), lips, brows, beard, hair)
    else:
        colour *= 1 - 0.25 * lips
    for word, flat in _MATERIALS.items():
        own = pixels_of(word)
        if len(own):
            colour[:, own] = _linear(flat)
            shine[own] *= 0.8  # all of it is wet
    colour *= light
    colour += shine
    eyes = pixels_of("eye", "iris", "pupil", "sclera", "cornea")
    if len(eyes):
        colour[:, eyes] = _eyes(model, paint, look, raster, seen[eyes], normals, light[:, eyes])
    return colour


def _mix(colour: Floats, other: Floats, share: Floats) -> None:
    """colour += (other - colour) * share, channel by channel to spare temporary arrays; other is (3, 1) or (3, P)."""
    for channel, wanted in zip(colour, other, strict=True):
        channel += (wanted - channel) * share


def _paint_skin(
    look: Look, colour: Floats, shine: Floats, noise: Floats, lips: Floats, brows: Floats, beard: Floats, hair: Floats
) -> None:
    """Freckles, pores, stubble, lips, brows and hair over the skin, in place."""
    blotch, spots, pores, strands = noise
    colour *= 1 + (0.14 * look.blotches) * blotch + (0.03 * look.pores) * pores
    if look.freckles > 0:
        freckle = np.clip(spots - 1.5, 0, 1) * (1 - lips) * look.freckles
        colour *= 1 - freckle * _column(0.35, 0.55, 0.65)
    hair_colour = _linear(look.hair_colour)
    if look.stubble > 0:
        _mix(colour, hair_colour * 1.2, look.stubble * beard * np.clip(0.55 + 0.35 * spots, 0, 1))
    edge = np.clip(lips * 1.6 - 0.3, 0, 1) * look.lip_strength
    _mix(colour, _linear(look.lips), edge)
    shine *= 1 + 0.8 * edge + 0.12 * pores
    if look.brow_paint > 0:
        over = np.clip(look.brow_density * (2.2 * brows - 0.55) + 0.22 * strands * (brows > 0.1), 0, 1)
        _mix(colour, _linear(look.brow_colour), over * look.brow_paint)
    hairy = np.flatnonzero(hair > -0.2) if look.hair > 0 else np.zeros(0, np.int64)
    if len(hairy):
        hair, strands = hair[hairy], strands[hairy]
        cover = np.clip(0.5 + 9 * hair + 0.35 * strands * (hair > -0.12), 0, 1) * look.hair
        under = colour[:, hairy]
        _mix(under, np.clip(hair_colour * (1 + 0.28 * strands), 0.002, 1), cover)
        colour[:, hairy] = under
        shine[hairy] *= 1 - 0.75 * cover * (1 - 0.4 * np.clip(strands, 0, 1))


def _eyes(
    model: HeadModel, paint: HeadPaint, look: Look, raster: Raster, pixels: Ints, normals: Floats, light: Floats
) -> Floats:
    """(3, P) white, iris with limbal ring and fibres, pupil, and the lamp mirrored in the cornea."""
    turn = paint.iris_angle * 2 * np.pi
    channels = np.stack([paint.iris, np.cos(turn), np.sin(turn), paint.occlusion, *normals[paint.film].T]).astype(
        np.float32
    )
    values = channels_at(raster, model.triangles, channels, pixels)
    radius, angle, normal = values[0], np.arctan2(values[2], values[1]), values[4:]
    light = light * (0.3 + 0.85 * values[3])  # the lids' shade
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-6)
    fibres = 1 + 0.22 * np.sin(angle * 31 + look.seed) * np.sin(angle * 17) + 0.45 * np.clip(0.75 - radius, -0.3, 0.4)
    ring = 1 - 0.7 * np.clip((radius - 0.72) / 0.28, 0, 1) ** 2
    limbus = 1 - 0.55 * np.clip((1.1 - radius) / 0.1, 0, 1)
    colour = np.where(radius < 1, _linear(look.iris) * (fibres * ring), _linear(look.sclera) * limbus)
    colour = colour * np.where(radius < look.pupil, 0.03, 1.0)
    half = light_basis(np.asarray(look.key_direction))[2] + np.array([0.0, 0.0, 1.0])
    shine = np.clip((half / np.linalg.norm(half)).astype(np.float32) @ normal, 0, 1) ** 260
    return (colour * light + 1.1 * shine * np.asarray(look.key, np.float32)[:, None]).astype(np.float32)


def card_light(
    model: HeadModel, paint: HeadPaint, look: Look, layer: Raster, front: Ints, diffuse: Floats
) -> tuple[Floats, Floats]:
    """(3, P) linear light and (P,) opacity of the pixels ``front`` that see a lash or brow strip."""
    codes = np.array(["brow" in name for name in model.material_names], bool)
    brow = codes[paint.materials[layer.triangle.ravel()[front]]]
    arriving = channels_at(layer, model.triangles, np.asarray(diffuse.T, np.float32), front)
    if look.painted:
        opacity = np.where(brow, look.brow_density, look.lash)
        colour = np.where(brow, _linear(look.brow_colour), _linear(look.lash_colour))
    else:
        opacity, colour = np.where(brow, 0.55, 0.35), _linear(look.skin) * 0.35
    return (colour * arriving).astype(np.float32), opacity.astype(np.float32)
