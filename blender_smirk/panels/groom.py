# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Person* below *Head*: people to begin with, age, hair, beard, brows, lashes and glasses."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..hair_materials import has_tufts
from ..operators.base import chosen_head
from ..operators.head import refusal
from ..people import age_of
from ..texts import groom as words
from ..wear import KINDS, worn

__all__ = ["CLASSES"]


class SMIRK_PT_head_person(bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_person"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_parent_id = "SMIRK_PT_head"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not refusal(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        if head is None:
            return
        if not has_tufts(head.mesh, "brow"):
            layout.label(text=words.NOT_OPEN, icon="INFO")
            return
        settings: Any = head.armature
        settings = settings.smirk_head
        layout.template_icon_view(settings, "person", show_labels=True, scale=6.0, scale_popup=5.0)
        layout.prop(settings, "person", text="")
        layout.operator("smirk.apply_person", icon="COMMUNITY").person = settings.person
        row = layout.row(align=True)
        row.label(text=words.AGE_NOW.format(age_of(head.mesh)))
        row.operator("smirk.set_age", icon="TIME")
        column = layout.column(align=True)
        for kind in KINDS:
            what = worn(head, kind)
            row = column.row(align=True)
            text = "" if what is None else what.style.title()
            row.operator_menu_enum(f"smirk.wear_{kind}", "style", icon="ADD" if what is None else "CHECKMARK")
            row.label(text=text)
        column = layout.column(align=True)
        column.operator_menu_enum("smirk.set_brows", "look")
        column.operator_menu_enum("smirk.set_lashes", "look")
        column.operator("smirk.set_hair_colour", icon="COLOR")


CLASSES: tuple[type, ...] = (SMIRK_PT_head_person,)
