# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Head*: whose face it is, what it expresses, where it looks and what it looks like."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..gaze import INFLUENCE, gaze_target, has_gaze
from ..likeness import is_slider
from ..look import has_look
from ..operators.base import chosen_head
from ..operators.head import refusal
from ..photo_skin import has_photo_texture
from ..posing import has_arkit_keys
from ..texts import head as words

__all__ = ["CLASSES"]


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}


class _Part(_Panel):
    bl_parent_id = "SMIRK_PT_head"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not refusal(context)


class SMIRK_PT_head(_Panel, bpy.types.Panel):
    bl_idname = "SMIRK_PT_head"
    bl_label = words.PANEL
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        reason = refusal(context)
        head = chosen_head(context)
        if reason or head is None:
            layout.label(text=reason, icon="INFO")
        else:
            layout.label(text=head.mesh.name, icon="USER")


class SMIRK_PT_head_identity(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_identity"
    bl_label = words.PANEL_IDENTITY

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        if head is None:
            return
        column = layout.column(align=True)
        column.operator("smirk.symmetrise_face", icon="MOD_MIRROR")
        column.operator("smirk.random_face", icon="FILE_REFRESH")
        column.operator("smirk.reset_face", icon="LOOP_BACK")
        column = layout.column(align=True)
        column.operator("smirk.identity_sliders", icon="OPTIONS")
        column.operator("smirk.bake_identity", icon="CHECKMARK")
        column = layout.column(align=True)
        blocks = head.keys.key_blocks
        for key in blocks:
            if is_slider(key.name):
                column.prop(key, "value", text=key.name)


class SMIRK_PT_head_expression(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_expression"
    bl_label = words.PANEL_EXPRESSION

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        if head is None:
            return
        if not has_arkit_keys(head):
            layout.label(text=words.NO_ARKIT, icon="INFO")
            return
        settings: Any = head.armature
        settings = settings.smirk_head
        layout.template_icon_view(settings, "preset", show_labels=True, scale=6.0, scale_popup=5.0)
        layout.prop(settings, "preset", text="")
        row = layout.row(align=True)
        shown = row.operator("smirk.apply_preset", icon="PLAY")
        keyed = row.operator("smirk.apply_preset", text="", icon="KEY_HLT")
        shown.preset = keyed.preset = settings.preset
        shown.insert_keys, keyed.insert_keys = False, True
        layout.operator("smirk.even_expression", icon="MOD_MIRROR")


class SMIRK_PT_head_gaze(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_gaze"
    bl_label = words.PANEL_GAZE

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        if head is None:
            return
        layout.operator_menu_enum("smirk.set_gaze", "kind", icon="HIDE_OFF")
        if has_gaze(head):
            target = gaze_target(head)
            layout.label(text=words.NO_TARGET if target is None else target.name, icon="OBJECT_DATA")
            layout.prop(head.armature, f'["{INFLUENCE}"]', text=words.INFLUENCE, slider=True)
            layout.operator("smirk.clear_gaze", icon="X")


class SMIRK_PT_head_look(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_head_look"
    bl_label = words.PANEL_LOOK

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head: Any = chosen_head(context)
        if head is None:
            return
        if not has_look(head.mesh):
            layout.label(text=words.NO_LOOK, icon="INFO")
            return
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for name in ("skin", "lips", "roughness", "iris"):
            column.prop(head.mesh.smirk_head, name)
        row = layout.row(align=True)
        row.operator("smirk.photo_texture", icon="TEXTURE")
        row.operator("smirk.photo_texture_files", text="", icon="FILEBROWSER")
        if has_photo_texture(head.mesh):
            row.operator("smirk.remove_texture", text="", icon="X")


CLASSES: tuple[type, ...] = (
    SMIRK_PT_head,
    SMIRK_PT_head_identity,
    SMIRK_PT_head_expression,
    SMIRK_PT_head_gaze,
    SMIRK_PT_head_look,
)
