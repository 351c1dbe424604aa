# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a head is: its age, its brows and lashes, and whole people to begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from smirk_core.errors import AssetError
from smirk_core.groom.age import MEAN_AGE, OLDEST, YOUNGEST, age_identity, age_look
from smirk_core.groom.people import PEOPLE, Person, person, person_identity
from smirk_core.groom.tufts import BROWS, HAIR_COLOURS, LASHES, TuftLook
from smirk_core.heads.head_model import HeadModel
from smirk_core.skin.pigments import skin_colour

from .detail import has_wrinkles, set_wrinkles
from .hair_materials import has_tufts, set_tufts, tufts_of
from .identity import identity_of
from .likeness import set_identity
from .look import has_look, set_colour
from .nodes import linear
from .rig import HeadObjects, model_of
from .skin_look import has_numbers, set_skin, skin_of
from .wear import KINDS, Worn, put_on, recolour, take_off, worn

__all__ = [
    "PEOPLE",
    "age_of",
    "apply_person",
    "hair_colour_of",
    "set_age",
    "set_brows",
    "set_hair_colour",
    "set_lashes",
    "wear_style",
]

Colour = tuple[float, float, float]
# Custom properties of the mesh.
_AGE, _MALE, _HAIR, _GREY = "smirk_age", "smirk_male", "smirk_hair_colour", "smirk_grey"
_DEFAULT_HAIR = HAIR_COLOURS["dark brown"]


def age_of(mesh: bpy.types.Object) -> float:
    """Years that a head was made; 30 where nobody did."""
    return float(mesh.get(_AGE, MEAN_AGE))


def hair_colour_of(mesh: bpy.types.Object) -> tuple[Colour, float]:
    """sRGB of a head's hair and the share of it that is grey."""
    r, g, b = (float(c) for c in mesh.get(_HAIR, _DEFAULT_HAIR))
    return (r, g, b), float(mesh.get(_GREY, 0.0))


def set_brows(head: HeadObjects, look: str | TuftLook) -> None:
    """Give a head brows: a name of :data:`smirk_core.groom.tufts.BROWS`, or a look of one's own.

    Raises:
        AssetError: there is no such look, or the head has no brows of ours.
    """
    _set_tufts(head, "brow", BROWS, look)


def set_lashes(head: HeadObjects, look: str | TuftLook) -> None:
    """Give a head lashes: a name of :data:`smirk_core.groom.tufts.LASHES`, or a look of one's own.

    Raises:
        AssetError: there is no such look, or the head has no lashes of ours.
    """
    _set_tufts(head, "lash", LASHES, look)


def _set_tufts(head: HeadObjects, part: str, known: Any, look: str | TuftLook) -> None:
    if not has_tufts(head.mesh, part):
        raise AssetError(f"'{head.mesh.name}' has no brows and lashes of ours: build it from the open head.")
    if isinstance(look, str) and look not in known:
        raise AssetError(f"There are no such brows or lashes as '{look}'; there are {', '.join(known)}.")
    chosen: TuftLook = known[look] if isinstance(look, str) else look
    set_tufts(head.mesh, part, chosen)


def set_hair_colour(head: HeadObjects, colour: Colour, grey: float | None = None) -> None:
    """Colour hair, beard and brows; brows keep how dark they are beside the hair.

    Args:
        colour: sRGB; grey: share of hairs without colour, as it was where not given.
    """
    before, old_grey = hair_colour_of(head.mesh)
    grey = old_grey if grey is None else float(np.clip(grey, 0, 1))
    head.mesh[_HAIR], head.mesh[_GREY] = colour, grey
    recolour(head, colour, grey)
    if has_tufts(head.mesh, "brow"):
        look = tufts_of(head.mesh, "brow")
        share = np.clip(np.array(look.colour) / np.maximum(before, 0.02), 0.4, 1.1)
        r, g, b = (float(c) for c in np.clip(share * colour, 0.01, 1))
        set_tufts(head.mesh, "brow", replace(look, colour=(r, g, b), grey=0.7 * grey))


def set_age(head: HeadObjects, years: float, model: HeadModel | None = None) -> None:
    """Let a person grow or age: shape, grey hair, thinner brows, skin and wrinkles; whose face it is stays.

    Args:
        years: 6 to 90.

    Raises:
        AssetError: the head is not the open head.
    """
    model = model_of(head) if model is None else model
    mesh = head.mesh
    years = float(np.clip(years, YOUNGEST, OLDEST))
    male = float(mesh.get(_MALE, 0.5))
    change = age_identity(model, years, male) - age_identity(model, age_of(mesh), male)
    set_identity(head, identity_of(head, model) + change, model)
    _show_age(head, age_of(mesh), years)
    mesh[_AGE] = years


def _show_age(head: HeadObjects, before: float, years: float) -> None:
    """Everything but the shape."""
    mesh, look = head.mesh, age_look(years)
    for part in ("brow", "lash"):
        if has_tufts(mesh, part):
            old = tufts_of(mesh, part)
            density = old.density * (1 - look.thin) / (1 - age_look(before).thin)
            set_tufts(mesh, part, replace(old, density=min(1.0, density)))
    colour, _ = hair_colour_of(mesh)
    set_hair_colour(head, colour, look.grey)
    if has_numbers(mesh):
        set_skin(mesh, replace(skin_of(mesh), age=years, spots=0.8 * look.spots))
    if has_wrinkles(mesh):
        set_wrinkles(head, age=float(np.interp(years, [6, 18, 30, 75], [0.0, 0.35, 0.5, 1.0])))


def apply_person(head: HeadObjects, name: str | Person, model: HeadModel | None = None) -> None:
    """Make a head one of :data:`smirk_core.groom.people.PEOPLE`: face, age, skin, eyes, hair, beard, brows, glasses.

    Its animation stays.

    Raises:
        AssetError: there is no such person, or the head is not the open head.
    """
    model = model_of(head) if model is None else model
    who = person(name) if isinstance(name, str) else name
    identity = person_identity(model, who)
    mesh = head.mesh
    for kind in KINDS:
        take_off(head, kind)
    set_identity(head, identity, model)
    mesh[_AGE], mesh[_MALE] = who.years, who.male
    colour, ageing = HAIR_COLOURS[who.hair_colour], age_look(who.years)
    mesh[_HAIR], mesh[_GREY] = colour, ageing.grey
    if has_look(mesh):
        set_colour(mesh, "Iris", linear(who.iris)[:3])
    if has_numbers(mesh):
        melanin = _melanin(who.skin)
        set_skin(mesh, replace(skin_of(mesh), melanin=melanin, age=who.years, spots=0.8 * ageing.spots, hair=colour))
    elif has_look(mesh):
        set_colour(mesh, "Skin tone", linear(who.skin)[:3])
    if has_wrinkles(mesh):
        set_wrinkles(head, age=float(np.interp(who.years, [6, 18, 30, 75], [0.0, 0.35, 0.5, 1.0])))
    if has_tufts(mesh, "brow"):
        brows = BROWS[who.brows]
        dark = np.clip(0.85 * np.array(colour) + 0.15 * np.array(brows.colour), 0.01, 1)
        r, g, b = (float(c) for c in dark)
        set_brows(head, replace(brows, colour=(r, g, b), grey=0.7 * ageing.grey,
                                density=brows.density * (1 - ageing.thin)))  # fmt: skip
        set_lashes(head, LASHES[who.lashes])
    for kind, style in zip(KINDS, (who.hair, who.beard, who.glasses), strict=True):
        if style:
            put_on(head, Worn(kind, style, colour, ageing.grey), model)


def _melanin(wanted: Colour) -> float:
    """How much melanin gives about this sRGB tone."""
    tones = np.geomspace(0.004, 0.5, 80)
    shades = np.asarray(skin_colour(tones, 0.02), dtype=np.float64)
    goal = np.array(linear(wanted)[:3])
    return float(tones[np.abs(np.log(shades + 1e-3) - np.log(goal + 1e-3)).sum(axis=1).argmin()])


def wear_style(head: HeadObjects, kind: Any, style: str) -> None:
    """Put on hair, beard or glasses in the head's own colour of hair; "" or ``none`` takes them off.

    Raises:
        AssetError: there is no such style, or nothing of the kind fits the head.
    """
    if style in ("", "none"):
        take_off(head, kind)
        return
    colour, grey = hair_colour_of(head.mesh)
    old = worn(head, kind)
    put_on(head, Worn(kind, style, colour, grey) if old is None else replace(old, style=style))
