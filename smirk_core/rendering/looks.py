# SPDX-License-Identifier: Apache-2.0
"""Colours and lamps of a rendered head: a clay look for overlays and plausible people at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Look"]

Colour = tuple[float, float, float]

# sRGB of skin from light to dark, chosen by eye from the middle of cheeks in daylight portraits.
_SKINS = np.array([
    [0.93, 0.77, 0.69], [0.90, 0.71, 0.60], [0.84, 0.63, 0.51], [0.75, 0.54, 0.41],
    [0.63, 0.43, 0.31], [0.49, 0.32, 0.23], [0.36, 0.23, 0.17],
])  # fmt: skip
_HAIR = np.array([
    [0.10, 0.08, 0.07], [0.17, 0.12, 0.09], [0.28, 0.19, 0.13], [0.42, 0.30, 0.19],
    [0.66, 0.52, 0.34], [0.45, 0.23, 0.13], [0.58, 0.57, 0.56],
])  # fmt: skip
_IRIS = np.array([
    [0.24, 0.15, 0.09], [0.34, 0.22, 0.12], [0.42, 0.32, 0.18], [0.36, 0.42, 0.28], [0.36, 0.48, 0.58],
    [0.45, 0.50, 0.53],
])  # fmt: skip


def _colour(values: np.ndarray) -> Colour:
    r, g, b = (float(v) for v in np.clip(values, 0.01, 1.0))
    return r, g, b


@dataclass(frozen=True)
class Look:
    """How a head is painted and lit.

    Colours are sRGB in 0..1, lamps linear light (1 turns a white card that faces the lamp white), directions point
    towards the lamp in the camera frame (x right, y up, z to the viewer).

    Attributes:
        painted: False for one flat colour (clay) instead of a person.
        skin, lips, brow_colour, lash_colour, hair_colour, iris, sclera: colours.
        key_direction, key, fill_direction, fill: two lamps.
        sky, ground: light from above and below.
        wrap: how far light reaches round edges, 0 none; gloss: strength of highlights.
        blotches, pores, freckles, sockets, flush, stubble: strength of these marks of skin, 0 none.
        lip_strength, brow_paint, brow_density, lash, hair: how much of that paint covers, 0..1.
        hair_volume: metres by which hair stands off the scalp.
        pupil: its radius as a share of the iris.
        shadows: whether the key lamp throws shadows.
        seed: of the noise.
    """

    painted: bool = True
    skin: Colour = (0.86, 0.66, 0.55)
    lips: Colour = (0.70, 0.42, 0.40)
    brow_colour: Colour = (0.25, 0.17, 0.12)
    lash_colour: Colour = (0.10, 0.08, 0.07)
    hair_colour: Colour = (0.22, 0.15, 0.11)
    iris: Colour = (0.34, 0.24, 0.15)
    sclera: Colour = (0.86, 0.84, 0.81)
    key_direction: Colour = (0.45, 0.55, 0.8)
    key: Colour = (0.75, 0.71, 0.66)
    fill_direction: Colour = (-0.8, 0.1, 0.6)
    fill: Colour = (0.12, 0.13, 0.15)
    sky: Colour = (0.26, 0.27, 0.29)
    ground: Colour = (0.15, 0.13, 0.12)
    wrap: float = 0.35
    gloss: float = 0.05
    blotches: float = 0.12
    pores: float = 1.0
    freckles: float = 0.0
    sockets: float = 0.5
    flush: float = 0.6
    stubble: float = 0.0
    lip_strength: float = 0.85
    brow_paint: float = 0.0
    brow_density: float = 0.8
    lash: float = 0.6
    hair: float = 1.0
    hair_volume: float = 0.007
    pupil: float = 0.38
    shadows: bool = True
    seed: int = 0

    @staticmethod
    def clay(skin: Colour = (0.72, 0.70, 0.68)) -> Look:
        """One quiet colour, soft light from the camera's upper left: shows form, hides nothing."""
        return Look(
            painted=False, skin=skin, sclera=(0.93, 0.93, 0.92), iris=(0.42, 0.47, 0.52), key=(0.72, 0.72, 0.72),
            key_direction=(-0.5, 0.6, 0.8), fill_direction=(0.9, 0.0, 0.4), fill=(0.10, 0.11, 0.13),
            sky=(0.26, 0.26, 0.27), ground=(0.12, 0.12, 0.12), wrap=0.1, gloss=0.025,
            blotches=0.0, pores=0.0, sockets=0.0, flush=0.0, hair=0.0, hair_volume=0.0,
        )  # fmt: skip

    @staticmethod
    def random(rng: np.random.Generator) -> Look:
        """A plausible person under plausible light."""
        tone = rng.uniform(0, len(_SKINS) - 1)
        low = int(min(tone, len(_SKINS) - 2))
        skin = _SKINS[low] + (tone - low) * (_SKINS[low + 1] - _SKINS[low])
        skin = skin * rng.normal(1, [0.02, 0.025, 0.035]) * rng.uniform(0.94, 1.05)
        dark = tone / (len(_SKINS) - 1)
        # Dark hair goes with every skin, fair hair mostly with fair skin; grey now and then.
        hair = rng.dirichlet(np.where(np.arange(7) < 3, 1.2, 0.05 + 0.8 * max(0.0, 0.5 - dark))) @ _HAIR
        iris = _IRIS[rng.integers(0, 3 if dark > 0.5 else len(_IRIS))] * rng.uniform(0.85, 1.15, 3)
        lips = skin * rng.normal([0.80, 0.62, 0.64], 0.05)
        if rng.random() < 0.2:  # lipstick
            lips = np.array([0.62, 0.2, 0.22]) * rng.uniform(0.7, 1.3, 3)
        beard = rng.random() < 0.35
        azimuth, elevation = rng.normal(0, 0.75), rng.uniform(-0.05, 1.0)
        key_direction = np.array([
            np.sin(azimuth) * np.cos(elevation), np.sin(elevation), abs(np.cos(azimuth)) * np.cos(elevation) + 0.25,
        ])  # fmt: skip
        warmth = rng.normal(0, 0.07)
        key = rng.uniform(0.5, 1.0) * np.array([1 + warmth, 1.0, 1 - warmth])
        sky = rng.uniform(0.2, 0.45) * rng.normal(1, 0.06, 3)
        return Look(
            skin=_colour(skin), lips=_colour(lips), brow_colour=_colour(hair * rng.uniform(0.55, 1.0)),
            hair_colour=_colour(hair), iris=_colour(iris), lash_colour=_colour(hair * 0.4),
            sclera=_colour(np.array([0.84, 0.81, 0.78]) * rng.uniform(0.9, 1.05)),
            key_direction=_colour3(key_direction), key=_colour3(key),
            fill_direction=_colour3([-np.sign(azimuth) * 0.8, rng.uniform(-0.3, 0.3), 0.6]),
            fill=_colour3(rng.uniform(0.03, 0.3) * np.array([1 - warmth, 1.0, 1 + warmth])),
            sky=_colour3(sky), ground=_colour3(sky * rng.uniform(0.35, 0.8)),
            wrap=rng.uniform(0.2, 0.5), gloss=rng.uniform(0.01, 0.09), blotches=rng.uniform(0.05, 0.25),
            pores=rng.uniform(0.5, 1.6), freckles=rng.uniform(0, 0.7) if rng.random() < 0.3 else 0.0,
            sockets=rng.uniform(0.15, 0.8), flush=rng.uniform(0.1, 0.9) * (1 - 0.6 * dark),
            stubble=rng.uniform(0.1, 0.9) if beard else 0.0, lip_strength=rng.uniform(0.55, 0.95),
            brow_density=rng.uniform(0.5, 1.0), lash=rng.uniform(0.25, 0.8),
            hair=0.0 if rng.random() < 0.12 else 1.0, hair_volume=rng.uniform(0.002, 0.014),
            pupil=rng.uniform(0.25, 0.5), seed=int(rng.integers(1 << 30)),
        )  # fmt: skip


def _colour3(values: object) -> Colour:
    x, y, z = (float(v) for v in np.asarray(values, float))
    return x, y, z
