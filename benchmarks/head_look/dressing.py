# SPDX-License-Identifier: Apache-2.0
"""Who is in front of the camera and what makes them look so: the one place that knows the add-on's ways to do it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from blender_smirk.detail import add_wrinkles
from blender_smirk.identity import identity_of
from blender_smirk.materials import add_materials
from blender_smirk.people import apply_person
from blender_smirk.rig import HeadObjects
from blender_smirk.skin_look import set_skin
from blender_smirk.smooth import add_smoothing
from smirk_core.groom.people import PEOPLE
from smirk_core.groom.people import Person as Character
from smirk_core.groom.tufts import BROWS, HAIR_COLOURS
from smirk_core.heads.head_model import HeadModel
from smirk_core.skin.look import SkinLook, random_look

__all__ = ["Person", "dress", "stranger"]

Floats = npt.NDArray[np.floating[Any]]
_WOMEN = ("bob", "bun", "curls", "fringe", "long", "ponytail", "wavy", "afro", "short")
_MEN = ("short", "crop", "buzz", "swept", "receding", "bald", "curls", "afro", "")
_BEARDS = ("stubble", "full", "goatee", "moustache")
_GLASSES = ("rimless", "horn", "reading", "round", "square")
_IRIS = ((0.20, 0.12, 0.07), (0.34, 0.22, 0.12), (0.42, 0.32, 0.18), (0.36, 0.42, 0.28), (0.36, 0.48, 0.58))


@dataclass(frozen=True)
class Person:
    """A person: the mean as everyone gets it first, a stranger by number, or one that the add-on offers.

    Attributes:
        number: 0, or which stranger.
        preset: a name of ``PEOPLE``.
        bare: without hair, beard and glasses.
    """

    number: int = 0
    preset: str = ""
    bare: bool = False


def stranger(number: int) -> tuple[Character, SkinLook]:
    """A character drawn at random; shape, age, tone and hair are plausible together, and the same for a number."""
    rng = np.random.default_rng(1000 + number)
    years, man = float(rng.choice([rng.uniform(17, 45), rng.uniform(45, 85)], p=[0.65, 0.35])), rng.random() < 0.5
    skin = random_look(rng, years)
    dark = float(np.clip(np.log(skin.melanin / 0.01) / np.log(40), 0, 1))
    shares = rng.dirichlet(np.array([0.2 + 2 * dark, 0.8, 0.2 + 2 * (1 - dark)]))
    colours = ("black", "dark brown") if dark > 0.4 else tuple(HAIR_COLOURS)
    character = Character(
        label=str(number),
        years=years,
        male=float(np.clip(rng.normal(0.9 if man else 0.1, 0.12), 0, 1)),
        ancestry=dict(zip(("african", "asian", "caucasian"), shares.tolist(), strict=True)),
        seed=number,
        skin=(0.8, 0.6, 0.5),  # what random_look said is put on instead
        iris=_IRIS[int(rng.integers(2 if dark > 0.4 else len(_IRIS)))],
        hair=str(rng.choice(_MEN if man else _WOMEN)),
        hair_colour=str(rng.choice(colours)),
        beard=str(rng.choice(_BEARDS)) if man and rng.random() < 0.45 else "",
        glasses=str(rng.choice(_GLASSES)) if rng.random() < 0.2 else "",
        brows=str(rng.choice(list(BROWS))),
        chance=0.75,
    )
    return character, replace(skin, stubble=skin.stubble if man else 0.0)


def dress(head: HeadObjects, model: HeadModel, person: Person, *, wrinkles: bool) -> Floats:
    """Everything that the add-on gives a head; (K,) the identity that it has then."""
    add_materials(head.mesh, model)
    add_smoothing(head.mesh)
    if wrinkles:
        add_wrinkles(head, model=model)
    if person.preset:
        apply_person(head, PEOPLE[person.preset], model)
    elif person.number:
        character, skin = stranger(person.number)
        if person.bare:
            character = replace(character, hair="", beard="", glasses="")
        apply_person(head, character, model)
        set_skin(head.mesh, skin)
    return identity_of(head, model)
