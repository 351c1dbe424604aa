# SPDX-License-Identifier: Apache-2.0
"""Paints a skin: the maps that a renderer needs, from a few numbers.

Two fields are painted over the head, the shares of melanin and of blood; the pigments' optics turn them into colour.
So a freckle is melanin and a flush is blood on every skin, and neither is a colour that was mixed by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .look import SkinLook
from .marks import even_number, scatter_dots, scatter_places
from .noise import fractal, value_noise
from .pigments import MELANIN, encode, skin_colour
from .surface import SkinTexels, fill_outside, skin_texels

__all__ = ["SCATTER_RADIUS", "SkinMaps", "mean_colour", "skin_maps"]

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]
# Metres that red, green and blue light wander below skin: Jensen et al., SIGGRAPH 2001, "skin1".
SCATTER_RADIUS = (3.67e-3, 1.37e-3, 0.68e-3)
HEIGHT_RANGE = 0.4e-3  # metres between black and white of the height map; grey is 0
_LIP_BLOOD = 0.25
_LIP_EARLY = 0.045  # the lips' thin skin sends back so much less light before the blood is reached
_MM = 1e-3


@dataclass(frozen=True)
class SkinMaps:
    """Square pictures, top row first (v of the UVs runs up), continued beyond the islands.

    Attributes:
        albedo: (S, S, 3) uint8 sRGB. subsurface: (S, S, 3) uint8 sRGB, the colour below the melanin.
        roughness, specular: (S, S) uint8, linear; specular is Blender's "Specular IOR Level" (0.5 reflects 4 %).
        height: (S, S) float32 metres, 0 is the mesh. normal: (S, S, 3) uint8, tangent space, y up (OpenGL).
    """

    albedo: Bytes
    roughness: Bytes
    specular: Bytes
    height: npt.NDArray[np.float32]
    normal: Bytes
    subsurface: Bytes


@dataclass(frozen=True)
class _Painter:
    """What all layers of one skin share."""

    skin: SkinTexels
    look: SkinLook
    seed: int

    def random(self, layer: int) -> np.random.Generator:
        """A generator of its own for every layer, so that one more freckle moves no mole."""
        return np.random.default_rng([self.seed, layer])

    def noise(self, layer: int, millimetres: float, octaves: int = 1, gain: float = 0.5) -> Floats:
        """(N,) noise with features of such a size."""
        scale = self.skin.unit / (millimetres * _MM)
        return fractal(self.skin.place * np.float32(scale), self.random(layer), octaves, gain)

    def dots(
        self, layer: int, chance: Floats, density: float, radius: tuple[float, float], edge: float = 2.0
    ) -> Floats:
        """(N,) marks: ``density`` per square centimetre times ``chance``, radii in millimetres, strengths .5 to 1."""
        random = self.random(layer)
        rows = scatter_places(self.skin, chance, even_number(self.skin, chance, density * 1e4), random)
        low, high = np.log(radius)
        size = np.exp(random.uniform(low, high, len(rows))) * _MM
        return scatter_dots(self.skin, rows, size, random.uniform(0.5, 1.0, len(rows)), random, edge=edge)


def skin_maps(model: HeadModel, look: SkinLook, size: int = 1024, seed: int = 0) -> SkinMaps:
    """Paint a skin for a head with UVs.

    Args:
        size: pixels of the square maps, 64 to 8192. seed: which person; the same maps come from the same seed.

    Raises:
        AssetError: the head has no UVs or no eyes, or the size is out of bounds.
    """
    skin = skin_texels(model, size)
    painter = _Painter(skin, look, seed)
    old = float(np.clip((look.age - 25) / 50, 0, 1.2))
    pores, grain = _pores(painter, old)
    melanin, marks = _melanin(painter, old)
    blood = _blood(painter, old)
    melanin, blood, vermilion = _lips(painter, old, melanin, blood)
    # Where the blood is near, on lips and flushed cheeks, the skin is thin and clear.
    clear = np.maximum(vermilion * (0.35 + 0.65 * look.lips), 0.4 * look.redness * skin.areas["flush"])
    colour = _redder(skin_colour(melanin, blood), clear[:, None], look)
    colour = colour * (1 - 0.10 * look.pores * pores)[:, None]
    colour, follicles = _hair_shadow(painter, colour)
    colour = _bluish(painter, colour)
    colour = _makeup(painter, colour)
    deep = skin_colour(np.full_like(melanin, MELANIN[0]), blood)
    cavity = np.array([0.14, 0.025, 0.022], np.float32)
    colour, deep = (np.where(skin.inside[:, None], cavity, c) for c in (colour, deep))

    lips, tzone = skin.areas["lips"], skin.areas["tzone"]
    rough = 0.54 - 0.06 * look.oiliness - 0.12 * look.oiliness * tzone + 0.04 * old + 0.025 * grain
    rough = rough + lips * (0.40 - rough) + 0.08 * look.pores * pores
    specular = (0.36 + 0.10 * lips) * (1 - 0.45 * look.pores * pores)
    height = _relief(painter, old, pores, grain, marks) - 10e-6 * follicles

    square = _square(skin, np.column_stack([encode(colour), encode(deep), rough, specular, height / HEIGHT_RANGE]))
    filled = np.ascontiguousarray(square[..., 8]) * np.float32(HEIGHT_RANGE)
    density = _square(skin, skin.density[:, None])[..., 0]
    return SkinMaps(
        albedo=_bytes(square[..., :3]),
        roughness=_bytes(square[..., 6]),
        specular=_bytes(square[..., 7]),
        height=filled,
        normal=_normals(filled, density),
        subsurface=_bytes(square[..., 3:6]),
    )


def mean_colour(look: SkinLook) -> tuple[Floats, Floats]:
    """(3,) linear sRGB of a look's plain skin and of its lips."""
    old = float(np.clip((look.age - 25) / 50, 0, 1.2))
    melanin, blood = _lip_pigments(look, old)
    return skin_colour(look.melanin, look.blood), _redder(skin_colour(melanin, blood), 0.35 + 0.65 * look.lips, look)


def _redder(colour: Floats, share: Floats | float, look: SkinLook) -> Floats:
    """Skin as thin and clear as that of the lips; melanin hides the difference."""
    share = share * (1 - 0.9 * _darkness(look))
    return colour + share * ((colour - _LIP_EARLY).clip(0.01) * 1.15 - colour)


def _darkness(look: SkinLook) -> float:
    """0 for light skin, 1 for the darkest."""
    return float(np.clip(np.log(look.melanin / 0.01 + 1e-9) / np.log(40), 0, 1))


def _melanin(painter: _Painter, old: float) -> tuple[Floats, Floats]:
    """(N,) share of melanin, and how much a texel is a raised mole."""
    look, areas = painter.look, painter.skin.areas
    dark = _darkness(look)
    uneven = look.blotches * (
        0.10 * painter.noise(1, 28, 2) + 0.10 * painter.noise(2, 6, 2) + 0.07 * painter.noise(3, 1.6, 2)
    )
    log = uneven * (1 + 0.6 * old) * (1 - 0.45 * dark) + 0.12 * areas["sun"]
    log = log + look.sockets * (0.40 - 0.15 * dark) * areas["socket"] * (1 + 0.2 * painter.noise(4, 4))
    log = log + (0.12 + 0.18 * dark) * areas["crease"] + 0.10 * dark * np.clip(areas["beard"] - areas["flush"], 0, 1)
    sunny = areas["sun"] * np.exp(0.45 * painter.noise(5, 9))
    extra = np.zeros(len(sunny), np.float32)
    if look.freckles > 0:
        small = painter.dots(6, sunny, 22 * look.freckles, (0.35, 0.8))
        large = painter.dots(7, sunny, 5 * look.freckles, (0.8, 1.6), 2.6)
        extra += (0.035 + 0.06 * look.freckles + 1.2 * look.melanin) * (1 - np.exp(-small - 0.8 * large))
    if look.spots > 0:
        aged = np.clip(areas["sun"] + 0.6 * areas["vein"] + 0.35 * areas["scalp"], 0, 1) * np.exp(
            0.8 * painter.noise(8, 18)
        )
        spot = painter.dots(9, aged, 0.55 * look.spots, (1.2, 4.0), 4.0) * (0.75 + 0.35 * painter.noise(10, 1.4, 2))
        extra += (0.06 + 0.8 * look.melanin) * look.spots * np.clip(spot, 0, 1.2)
    moles = painter.dots(11, np.clip(1 - areas["lips"] - areas["thin"], 0.05, 1), 0.035 * look.moles, (0.5, 1.3), 4.0)
    moles = np.clip(moles, 0, 1)
    return look.melanin * np.exp(log * (1 - 0.3 * dark)) + extra + moles * (0.35 + 0.2 * dark), moles


def _blood(painter: _Painter, old: float) -> Floats:
    """(N,) share of blood."""
    look, areas = painter.look, painter.skin.areas
    patchy = np.clip(1 + 0.16 * painter.noise(21, 14, 2) + 0.14 * painter.noise(22, 3, 2), 0.4, 1.5)
    log = (look.blotches * (1 + 0.6 * old)) * (
        0.20 * painter.noise(23, 22, 2) + 0.22 * painter.noise(24, 4, 2) + 0.12 * painter.noise(25, 1.2)
    )
    log = log + 1.25 * look.redness * areas["flush"] * patchy + 0.45 * areas["crease"] + 0.35 * areas["thin"]
    log = log + 0.5 * look.sockets * areas["socket"]
    threads = 1 - np.abs(painter.noise(26, 2.2, 2)) * 4.5
    log = log + (0.2 + old) * look.veins * np.clip(threads, 0, 1) * areas["flush"] * 0.9
    spots = painter.dots(27, areas["flush"] * look.blotches, 1.2, (0.5, 1.4))
    return look.blood * np.exp(np.minimum(log + 0.5 * np.clip(spots, 0, 1), 2.2))


def _lip_pigments(look: SkinLook, old: float) -> tuple[float, float]:
    melanin = look.melanin * (0.75 + 0.6 * _darkness(look))  # light lips have less than the skin, dark ones more
    strength = (0.35 + 0.65 * look.lips) * (1 - 0.25 * old)
    return melanin, float(np.exp(np.log(look.blood) + strength * (np.log(_LIP_BLOOD) - np.log(look.blood))))


def _lips(painter: _Painter, old: float, melanin: Floats, blood: Floats) -> tuple[Floats, Floats, Floats]:
    """Melanin and blood with the lips' own laid over, and how much each texel is lip."""
    own_melanin, own_blood = _lip_pigments(painter.look, old)
    place = painter.skin.place * np.array([22, 5, 5], np.float32)
    lines = value_noise(place, painter.random(31))
    share = np.clip(1.25 * painter.skin.areas["lips"] - 0.12, 0, 1)
    soft = share * share * (3 - 2 * share)
    wet = np.exp((1 - 0.6 * _darkness(painter.look)) * (0.12 * lines + 0.10 * painter.noise(32, 2.5)))
    melanin = np.exp(np.log(melanin) + soft * (np.log(own_melanin * wet) - np.log(melanin)))
    return melanin, np.exp(np.log(blood) + soft * (np.log(own_blood * wet) - np.log(blood))), soft


def _hair_shadow(painter: _Painter, colour: Floats) -> tuple[Floats, Floats]:
    """Shaved hair: single follicles, and a bluish grey from the hair below the skin."""
    look, areas = painter.look, painter.skin.areas
    hair = np.float32(_linear(look.hair))
    dark = _darkness(look)
    total = np.zeros(len(colour), np.float32)
    for layer, area, strength, density in ((41, "beard", look.stubble, 55.0), (42, "scalp", look.scalp, 170.0)):
        if strength <= 0:
            continue
        patchy = np.clip(areas[area] * (1 + 0.25 * painter.noise(layer + 10, 7, 2)), 0, 1)
        dots = painter.dots(layer, patchy, density, (0.10, 0.17))
        below = 0.34 * strength * patchy * (1 - 0.6 * dark)
        grey = (
            (0.55 + 0.45 * hair / (hair.max() + 0.05))
            * colour.mean(axis=1, keepdims=True)
            * np.array([0.80, 0.90, 1.0], np.float32)
        )
        colour = colour + below[:, None] * (0.72 * grey - colour)
        cover = np.clip(1.5 * strength * dots, 0, 0.8)
        colour = colour + cover[:, None] * (hair - colour)
        total = total + cover
    return colour, total


def _bluish(painter: _Painter, colour: Floats) -> Floats:
    """Veins: wide soft lines at the temples and under the eyes that take a little red away."""
    lines = np.clip(1 - 3.2 * np.abs(painter.noise(51, 14, 2)), 0, 1) * painter.skin.areas["vein"]
    strength = painter.look.veins * (0.25 * painter.skin.areas["vein"] + 0.75 * lines)
    return colour * np.exp(strength[:, None] * np.array([-0.20, -0.07, -0.01], np.float32))


def _makeup(painter: _Painter, colour: Floats) -> Floats:
    made, areas = painter.look.makeup, painter.skin.areas
    for area, paint, strength in (
        ("shadow", made.shadow, 0.8 * made.shadow_strength),
        ("blush", made.blush, 0.5 * made.blush_strength),
        ("lips", made.lipstick, 0.95 * made.lipstick_strength),
    ):
        if strength > 0:
            share = areas[area] if area != "lips" else np.clip(1.6 * areas[area] - 0.3, 0, 1)
            # Paint lets some of the skin's own light and dark through.
            shade = (colour.mean(axis=1) / max(float(colour.mean()), 1e-6))[:, None] ** 0.35
            colour = colour + (strength * share)[:, None] * (np.float32(_linear(paint)) * shade - colour)
    return np.clip(colour, 0.004, 0.95)


def _pores(painter: _Painter, old: float) -> tuple[Floats, Floats]:
    """(N,) depth of pores in 0..1, and the fine grain between them (standard deviation 1)."""
    areas = painter.skin.areas
    bald = (1 - areas["lips"]) * (1 - 0.8 * areas["socket"])
    wide = painter.dots(61, np.clip(areas["tzone"], 0, 1) * bald, 90, (0.12, 0.26 + 0.08 * old))
    fine = painter.dots(62, bald * (0.4 + 0.6 * areas["flush"]), 130, (0.06, 0.13))
    return np.clip(wide + 0.45 * fine, 0, 1), painter.noise(63, 0.55, 2, 0.6)


def _relief(painter: _Painter, old: float, pores: Floats, grain: Floats, moles: Floats) -> Floats:
    """(N,) metres above the mesh."""
    look, areas = painter.look, painter.skin.areas
    lips = areas["lips"]
    coarse = painter.noise(71, 1.8, 2)
    lines = value_noise(painter.skin.place * np.array([42, 7, 7], np.float32), painter.random(72))
    skin = (7e-6 + 5e-6 * old) * grain + (9e-6 + 12e-6 * old) * coarse - 55e-6 * (0.3 + 0.7 * look.pores) * pores
    lip = -38e-6 * (1 + 0.6 * old) * np.abs(lines) + 4e-6 * grain
    return (1 - lips) * skin + lips * lip + 160e-6 * moles


def _linear(colour: tuple[float, float, float]) -> Floats:
    c = np.asarray(colour, np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _square(skin: SkinTexels, values: Floats) -> Floats:
    image = np.zeros((skin.size * skin.size, values.shape[1]), np.float32)
    image[skin.texels] = values
    known = np.zeros(skin.size * skin.size, bool)
    known[skin.texels] = True
    return fill_outside(image.reshape(skin.size, skin.size, -1), known.reshape(skin.size, skin.size))


def _normals(height: Floats, density: Floats) -> Bytes:
    """Tangent-space normals of heights in metres, with ``density`` texels to a metre."""
    down, right = np.gradient(height)
    normal = np.stack([-right * density, down * density, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return _bytes(normal * 0.5 + 0.5)


def _bytes(values: Floats) -> Bytes:
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
