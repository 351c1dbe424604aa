# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Wrinkles*, a part of the panel *Head*."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..detail import AGE, ON, PERSON_STRENGTH, STRENGTH, has_person_detail, has_wrinkles
from ..operators.base import chosen_head
from ..operators.detail import can_wrinkle
from ..operators.head import refusal
from ..texts import detail as words

__all__ = ["CLASSES"]


class SMIRK_PT_head_wrinkles(bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_wrinkles"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_parent_id = "SMIRK_PT_head"
    bl_order = 10  # after the look
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not refusal(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        if head is None:
            return
        reason = can_wrinkle(head)
        if reason:
            layout.label(text=reason, icon="INFO")
            return
        mesh = head.mesh
        if not has_wrinkles(mesh):
            layout.operator("smirk.add_wrinkles", icon="MOD_NOISE")
            return
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(mesh, f'["{ON}"]', text=words.ON)
        sliders = column.column()
        sliders.active = bool(mesh[ON])
        sliders.prop(mesh, f'["{STRENGTH}"]', text=words.STRENGTH, slider=True)
        sliders.prop(mesh, f'["{AGE}"]', text=words.AGE, slider=True)
        if has_person_detail(mesh):
            sliders.prop(mesh, f'["{PERSON_STRENGTH}"]', text=words.PERSON_STRENGTH, slider=True)
        column = layout.column(align=True)
        column.operator("smirk.recover_detail", icon="COMMUNITY")
        row = column.row(align=True)
        row.operator("smirk.load_detail", icon="FILE_FOLDER")
        if has_person_detail(mesh):
            row.operator("smirk.remove_detail", text="", icon="X")
        column = layout.column(align=True)
        column.operator("smirk.bake_wrinkles", icon="RENDER_STILL")
        column.operator("smirk.remove_wrinkles", icon="X")


CLASSES: tuple[type, ...] = (SMIRK_PT_head_wrinkles,)
