# SPDX-License-Identifier: Apache-2.0
"""People to begin with: whole characters by a few words each, over the range of age, sex, skin and hair.

None is anybody: shapes are means of MakeHuman's targets with a share of chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..heads.likeness import random_identity
from .age import age_identity
from .person_shapes import person_directions

__all__ = ["PEOPLE", "Person", "person", "person_identity"]

Floats = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """One character.

    Attributes:
        label: for people.
        years: age; male: 0 a woman, 1 a man.
        ancestry: shares of ``african``, ``asian``, ``caucasian``, as MakeHuman calls its targets.
        seed, chance: which stranger is mixed in, and how much of him, in standard deviations.
        skin: sRGB of the cheeks in daylight; iris: sRGB.
        hair, beard, glasses: styles, "" for none; hair_colour: a name of ``HAIR_COLOURS``.
        brows, lashes: names of ``BROWS`` and ``LASHES``.
        expression: ARKit weights that make the thumbnail friendly.
    """

    label: str
    years: float
    male: float
    ancestry: Mapping[str, float]
    seed: int
    skin: Colour
    iris: Colour
    hair: str = ""
    hair_colour: str = "dark brown"
    beard: str = ""
    glasses: str = ""
    brows: str = "natural"
    lashes: str = "natural"
    chance: float = 0.4
    expression: Mapping[str, float] = field(default_factory=dict)


_BROWN, _HAZEL, _BLUE, _GREEN, _DARK = (
    (0.34, 0.22, 0.12), (0.42, 0.32, 0.18), (0.36, 0.48, 0.58), (0.36, 0.42, 0.28), (0.20, 0.12, 0.07),
)  # fmt: skip
PEOPLE: MappingProxyType[str, Person] = MappingProxyType({
    "amara": Person("Amara, 28", 28, 0.0, {"african": 1.0}, 3, (0.36, 0.23, 0.17), _DARK, "afro", "black",
                    brows="dark", lashes="thick"),
    "ben": Person("Ben, 34", 34, 1.0, {"caucasian": 1.0}, 11, (0.86, 0.66, 0.56), _BLUE, "short", "light brown",
                  beard="stubble", brows="natural"),
    "chen": Person("Chen, 45", 45, 0.9, {"asian": 1.0}, 21, (0.83, 0.63, 0.49), _DARK, "crop", "black",
                   glasses="rimless", brows="natural"),
    "dolores": Person("Dolores, 72", 72, 0.0, {"caucasian": 0.6, "african": 0.4}, 8, (0.72, 0.52, 0.40), _BROWN, "bob",
                      "brown", glasses="horn", brows="thin", lashes="thin"),
    "elias": Person("Elias, 61", 61, 1.0, {"caucasian": 0.7, "african": 0.3}, 17, (0.74, 0.54, 0.42), _BROWN,
                    "receding", "dark brown", beard="full", brows="bushy"),
    "freya": Person("Freya, 22", 22, 0.0, {"caucasian": 1.0}, 5, (0.93, 0.77, 0.69), _GREEN, "wavy", "red",
                    brows="light", lashes="light"),
    "hana": Person("Hana, 31", 31, 0.05, {"asian": 1.0}, 14, (0.90, 0.72, 0.60), _DARK, "fringe", "black"),
    "idris": Person("Idris, 40", 40, 1.0, {"african": 1.0}, 26, (0.29, 0.18, 0.13), _DARK, "buzz", "black",
                    beard="goatee", brows="thick"),
    "jonas": Person("Jonas, 9", 9, 0.8, {"caucasian": 1.0}, 4, (0.92, 0.74, 0.65), _BLUE, "short", "blond",
                    brows="light", lashes="light", chance=0.3),
    "kavya": Person("Kavya, 26", 26, 0.0, {"caucasian": 0.55, "asian": 0.25, "african": 0.2}, 33, (0.60, 0.41, 0.30),
                    _DARK, "long", "black", brows="thick", lashes="thick"),
    "leila": Person("Leila, 11", 11, 0.1, {"caucasian": 0.5, "african": 0.5}, 12, (0.56, 0.38, 0.28), _BROWN,
                    "ponytail", "dark brown", chance=0.3),
    "mateo": Person("Mateo, 52", 52, 1.0, {"caucasian": 0.5, "asian": 0.5}, 9, (0.66, 0.46, 0.34), _BROWN, "swept",
                    "black", beard="moustache", brows="dark"),
    "nils": Person("Nils, 78", 78, 1.0, {"caucasian": 1.0}, 19, (0.88, 0.68, 0.60), _BLUE, "bald", "brown",
                   glasses="reading", brows="bushy", lashes="thin"),
    "olga": Person("Olga, 58", 58, 0.1, {"caucasian": 0.8, "asian": 0.2}, 31, (0.89, 0.70, 0.61), _HAZEL, "bun",
                   "blond", brows="natural"),
    "pua": Person("Pua, 37", 37, 0.2, {"asian": 0.6, "african": 0.4}, 23, (0.52, 0.35, 0.25), _DARK, "curls",
                  "dark brown", glasses="round"),
    "quinn": Person("Quinn, 19", 19, 0.5, {"african": 0.34, "asian": 0.33, "caucasian": 0.33}, 41, (0.76, 0.56, 0.44),
                    _HAZEL, "curls", "brown", glasses="square"),
})  # fmt: skip


def person(name: str) -> Person:
    """The person called ``name``.

    Raises:
        AssetError: there is none.
    """
    if name not in PEOPLE:
        raise AssetError(f"There is nobody called '{name}'; there are {', '.join(PEOPLE)}.")
    return PEOPLE[name]


def person_identity(model: HeadModel, who: Person) -> Floats:
    """(K,) identity coefficients of somebody.

    Raises:
        AssetError: the head is not the open head.
    """
    directions = person_directions(model)
    total = sum(who.ancestry.values()) or 1.0
    identity = sum(share / total * directions[name] for name, share in who.ancestry.items())
    identity = identity + (2 * who.male - 1) * directions["male"] + age_identity(model, who.years, who.male)
    return identity + who.chance * random_identity(model, who.seed, 1.0)
