# SPDX-License-Identifier: Apache-2.0
"""What a skin looks like, in a few numbers, and people to draw from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ..errors import AssetError
from .pigments import FITZPATRICK

__all__ = ["PRESETS", "Makeup", "SkinLook", "random_look"]

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Makeup:
    """Colours are sRGB in 0..1; strengths 0..1."""

    lipstick: Colour = (0.62, 0.10, 0.14)
    lipstick_strength: float = 0.0
    shadow: Colour = (0.36, 0.24, 0.22)
    shadow_strength: float = 0.0
    blush: Colour = (0.80, 0.36, 0.34)
    blush_strength: float = 0.0


@dataclass(frozen=True)
class SkinLook:
    """A skin. What is not said otherwise runs from 0 (none) to 1 (as much as people have).

    Attributes:
        melanin: share of the epidermis, about 0.004 (very light) to 0.6 (very dark); see ``FITZPATRICK``.
        blood: share of the dermis, about 0.008 (pale) to 0.05 (ruddy).
        age: years, 10 to 95: unevenness, spots, veins, paler lips, coarser pores grow with it.
        redness: flush of nose, cheeks, ears and chin. blotches: unevenness of pigment and blood.
        freckles, moles, spots (of age), veins: how many and how strong.
        sockets: darkness around the eyes. pores: their depth and width. oiliness: gloss of the T-zone.
        stubble: shadow of a shaved beard. scalp: shadow of shaved hair. hair: its colour, sRGB.
        lips: how much redder and darker than the skin they are.
    """

    melanin: float = FITZPATRICK[1]
    blood: float = 0.02
    age: float = 30.0
    redness: float = 0.4
    blotches: float = 0.4
    freckles: float = 0.0
    moles: float = 0.2
    spots: float = 0.0
    veins: float = 0.2
    sockets: float = 0.4
    pores: float = 0.5
    oiliness: float = 0.4
    stubble: float = 0.0
    scalp: float = 0.35
    hair: Colour = (0.12, 0.085, 0.06)
    lips: float = 0.5
    makeup: Makeup = Makeup()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _RANGES.get(field.name, (0.0, 1.0))
            values = value if isinstance(value, tuple) else (value,)
            if isinstance(value, Makeup):
                continue
            if not all(np.isfinite(v) and low <= v <= high for v in values):
                raise AssetError(f"A skin's {field.name} must lie between {low:g} and {high:g}, not {value}.")


_RANGES = {"melanin": (0.0, 1.0), "blood": (0.0, 0.2), "age": (0.0, 120.0)}

PRESETS: dict[str, SkinLook] = {
    "Porcelain": SkinLook(melanin=0.005, blood=0.018, age=22, redness=0.45, freckles=0.12, hair=(0.42, 0.24, 0.12)),
    "Freckled": SkinLook(melanin=0.008, blood=0.022, age=26, redness=0.55, freckles=0.9, hair=(0.38, 0.16, 0.07)),
    "Fair": SkinLook(melanin=0.020, blood=0.020, age=34, redness=0.4, stubble=0.45, hair=(0.20, 0.14, 0.09)),
    "Olive": SkinLook(
        melanin=0.052, blood=0.018, age=38, redness=0.3, sockets=0.6, stubble=0.7, hair=(0.05, 0.04, 0.03),
    ),
    "Light brown": SkinLook(melanin=0.090, blood=0.020, age=24, redness=0.2, moles=0.35, hair=(0.05, 0.035, 0.03)),
    "Brown": SkinLook(
        melanin=0.21, blood=0.026, age=45, redness=0.2, sockets=0.6, oiliness=0.5, hair=(0.04, 0.03, 0.03),
    ),
    "Dark": SkinLook(melanin=0.38, blood=0.022, age=30, redness=0.15, oiliness=0.45, hair=(0.03, 0.025, 0.025)),
    "Deep": SkinLook(
        melanin=0.55, blood=0.020, age=52, redness=0.1, sockets=0.55, oiliness=0.45, hair=(0.05, 0.05, 0.05),
    ),
    "Ruddy": SkinLook(
        melanin=0.014, blood=0.030, age=58, redness=0.95, blotches=0.8, spots=0.35, veins=0.6, pores=0.85, stubble=0.3,
        hair=(0.45, 0.40, 0.35),
    ),
    "Aged": SkinLook(
        melanin=0.024, blood=0.018, age=78, redness=0.5, blotches=0.8, spots=0.8, veins=0.7, moles=0.4, pores=0.7,
        sockets=0.6, oiliness=0.2, hair=(0.70, 0.69, 0.66),
    ),
}  # fmt: skip


def random_look(random: np.random.Generator, age: float | None = None) -> SkinLook:
    """A skin of any tone, every group of tones equally often; ages 18 to 80 unless one is given."""
    edges = np.geomspace(0.0035, 0.65, 7)
    group = int(random.integers(6))
    melanin = float(np.exp(random.uniform(*np.log(edges[group : group + 2]))))
    dark = float(np.clip(np.log(melanin / 0.01) / np.log(40), 0, 1))
    years = float(random.uniform(18, 80) if age is None else age)
    old = float(np.clip((years - 35) / 45, 0, 1))

    def some(mean: float, spread: float) -> float:
        return float(np.clip(random.normal(mean, spread), 0, 1))

    beard = random.random() < 0.4
    grey = old * random.random()
    natural = np.array([0.05, 0.04, 0.035]) + (1 - dark) ** 2 * random.random() * np.array([0.40, 0.25, 0.13])
    hair = tuple(float(h) for h in natural * (1 - grey) + 0.68 * grey)
    look = SkinLook(
        melanin=melanin,
        blood=float(np.exp(random.normal(np.log(0.019), 0.3))),
        age=years,
        redness=some(0.45 - 0.25 * dark + 0.2 * old, 0.2),
        blotches=some(0.35 + 0.3 * old, 0.15),
        freckles=some(0.75, 0.2) if random.random() < 0.25 * (1 - dark) else 0.0,
        moles=some(0.2 + 0.15 * old, 0.15),
        spots=some(0.7 * old, 0.15) if years > 45 else 0.0,
        veins=some(0.2 + 0.3 * old, 0.12),
        sockets=some(0.4 + 0.15 * dark, 0.2),
        pores=some(0.5 + 0.2 * old, 0.2),
        oiliness=some(0.45, 0.2),
        stubble=some(0.5, 0.25) if beard else 0.0,
        scalp=some(0.35, 0.1),
        hair=(hair[0], hair[1], hair[2]),
        lips=some(0.5, 0.15),
    )
    if not beard and random.random() < 0.3:
        lips = random.uniform((0.35, 0.05, 0.08), (0.75, 0.30, 0.30))
        made = Makeup(
            lipstick=(float(lips[0]), float(lips[1]), float(lips[2])),
            lipstick_strength=some(0.6, 0.2),
            shadow_strength=some(0.3, 0.2),
            blush_strength=some(0.3, 0.15),
        )
        look = replace(look, makeup=made)
    return look
