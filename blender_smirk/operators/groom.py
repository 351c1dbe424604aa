# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Person*."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import EnumProperty, FloatProperty, FloatVectorProperty  # pyright: ignore[reportMissingImports]

from smirk_core.groom.age import MEAN_AGE, OLDEST, YOUNGEST
from smirk_core.groom.people import PEOPLE
from smirk_core.groom.tufts import BROWS, HAIR_COLOURS, LASHES

from ..hair_materials import has_tufts
from ..people import age_of, apply_person, hair_colour_of, set_age, set_brows, set_hair_colour, set_lashes, wear_style
from ..rig import HeadObjects
from ..texts import groom as words
from ..wear import STYLES
from .base import chosen_head
from .head import OnHead

__all__ = ["CLASSES"]


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def _names(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """Items of an EnumProperty, ``none`` first."""
    return [("none", words.NONE, ""), *((n, _title(n), "") for n in names if n != "none")]


class _OnOpenHead(OnHead):
    """Works on a head built from the open one."""

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_tufts(head.mesh, "brow") else words.NOT_OPEN


class SMIRK_OT_apply_person(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.apply_person"
    bl_label, bl_description = words.PERSON
    if not TYPE_CHECKING:
        person: EnumProperty(
            name=words.WHO[0], description=words.WHO[1], items=[(n, p.label, "") for n, p in PEOPLE.items()]
        )

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        apply_person(head, self.person)


class SMIRK_OT_set_age(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.set_age"
    bl_label, bl_description = words.AGE
    if not TYPE_CHECKING:
        years: FloatProperty(
            name=words.YEARS[0], description=words.YEARS[1], default=MEAN_AGE, min=YOUNGEST, max=OLDEST, precision=0
        )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        head = chosen_head(context)
        if head is not None:
            self.years = age_of(head.mesh)
        return context.window_manager.invoke_props_dialog(self)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        set_age(head, self.years)


class SMIRK_OT_wear_hair(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.wear_hair"
    bl_label, bl_description = words.HAIR
    if not TYPE_CHECKING:
        style: EnumProperty(name=words.STYLE[0], description=words.STYLE[1], items=_names(STYLES["hair"]))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        wear_style(head, "hair", self.style)


class SMIRK_OT_wear_beard(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.wear_beard"
    bl_label, bl_description = words.BEARD
    if not TYPE_CHECKING:
        style: EnumProperty(name=words.STYLE[0], description=words.STYLE[1], items=_names(STYLES["beard"]))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        wear_style(head, "beard", self.style)


class SMIRK_OT_wear_glasses(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.wear_glasses"
    bl_label, bl_description = words.GLASSES
    if not TYPE_CHECKING:
        style: EnumProperty(name=words.STYLE[0], description=words.STYLE[1], items=_names(STYLES["glasses"]))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        wear_style(head, "glasses", self.style)


class SMIRK_OT_set_brows(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.set_brows"
    bl_label, bl_description = words.BROWS
    if not TYPE_CHECKING:
        look: EnumProperty(name=words.LOOK[0], description=words.LOOK[1], items=_names(BROWS))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        set_brows(head, self.look)


class SMIRK_OT_set_lashes(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.set_lashes"
    bl_label, bl_description = words.LASHES
    if not TYPE_CHECKING:
        look: EnumProperty(name=words.LOOK[0], description=words.LOOK[1], items=_names(LASHES))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        set_lashes(head, self.look)


class SMIRK_OT_set_hair_colour(_OnOpenHead, bpy.types.Operator):
    bl_idname = "smirk.set_hair_colour"
    bl_label, bl_description = words.HAIR_COLOUR
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    if not TYPE_CHECKING:
        colour: FloatVectorProperty(
            name=words.COLOUR[0], description=words.COLOUR[1], subtype="COLOR_GAMMA", size=3, min=0.0, max=1.0,
            default=HAIR_COLOURS["dark brown"],
        )  # fmt: skip
        grey: FloatProperty(
            name=words.GREY[0], description=words.GREY[1], default=0.0, min=0.0, max=1.0, subtype="FACTOR"
        )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        head = chosen_head(context)
        if head is not None:
            self.colour, self.grey = hair_colour_of(head.mesh)
        return context.window_manager.invoke_props_dialog(self)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        r, g, b = self.colour
        set_hair_colour(head, (r, g, b), self.grey)


CLASSES: tuple[type, ...] = (
    SMIRK_OT_apply_person,
    SMIRK_OT_set_age,
    SMIRK_OT_wear_hair,
    SMIRK_OT_wear_beard,
    SMIRK_OT_wear_glasses,
    SMIRK_OT_set_brows,
    SMIRK_OT_set_lashes,
    SMIRK_OT_set_hair_colour,
)
