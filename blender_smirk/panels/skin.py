# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Skin*, a part of the panel *Head*."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..operators.base import chosen_head
from ..operators.head import refusal
from ..properties.skin import FIELDS
from ..skin_bake import has_baked_skin
from ..skin_look import has_numbers
from ..texts import skin as words

__all__ = ["CLASSES"]


class SMIRK_PT_head_skin(bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_skin"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_parent_id = "SMIRK_PT_head"
    bl_order = 9  # after the look, before wrinkles
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not refusal(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head: Any = chosen_head(context)
        if head is None:
            return
        if not has_numbers(head.mesh):
            layout.label(text=words.NO_NUMBERS, icon="INFO")
            return
        layout.operator_menu_enum("smirk.set_skin", "preset", text=words.SET[0], icon="COLOR")
        baked = has_baked_skin(head.mesh)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.active = not baked  # what is baked changes only with the next baking
        for name in FIELDS:
            column.prop(head.mesh.smirk_skin, name)
        row = layout.row(align=True)
        row.operator("smirk.bake_skin", icon="RENDER_STILL")
        if baked:
            row.operator("smirk.remove_baked_skin", text="", icon="X")


CLASSES: tuple[type, ...] = (SMIRK_PT_head_skin,)
