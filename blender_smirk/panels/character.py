# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Character*: a take onto a mesh that has shape keys of its own."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..operators.character import character_take, refusal
from ..retarget import BONES
from ..texts import character as words

__all__ = ["CLASSES"]

_WIDE = 380  # pixels of a sidebar that has room for the whole table


class SMIRK_UL_channels(bpy.types.UIList):
    """Channel, key, gain and offset in one row."""

    bl_idname = "SMIRK_UL_channels"

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: Any, active_data: Any, active_property: Any
    ) -> None:
        mesh = context.active_object
        keys = getattr(mesh.data, "shape_keys", None) if mesh is not None else None
        row = layout.row(align=True)
        row.prop(item, "enabled", text="")
        inner = row.row(align=True)
        inner.active = item.enabled
        inner.alert = keys is not None and item.target not in keys.key_blocks
        scale = context.preferences.system.ui_scale
        wide = context.region.width > _WIDE * scale
        if wide:  # else key and offset stand below the list, for the chosen row
            split = inner.split(factor=0.5, align=True)
            split.label(text=item.source)
            split.label(text=item.target, icon="SHAPEKEY_DATA")
        else:
            inner.label(text=item.source)
        numbers = inner.row(align=True)
        numbers.ui_units_x = 5 if wide else 2.5
        numbers.prop(item, "gain", text="")
        if wide:
            numbers.prop(item, "offset", text="")


class SMIRK_PT_character(bpy.types.Panel):
    bl_idname = "SMIRK_PT_character"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    bl_order = 60

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        reason = refusal(context)
        if reason:
            layout.label(text=reason, icon="INFO")
            return
        mesh: Any = context.active_object
        settings = mesh.smirk_character
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "take")
        if settings.take is None:
            used = character_take(context)
            column.label(text=words.NO_TAKE if used is None else used.name, icon="ERROR" if used is None else "ACTION")
        layout.operator("smirk.match_character", icon="VIEWZOOM")
        row = layout.row()
        row.template_list("SMIRK_UL_channels", "", settings, "links", settings, "link_index", rows=6)
        side = row.column(align=True)
        side.operator("smirk.add_channel", icon="ADD", text="")
        side.operator("smirk.remove_channel", icon="REMOVE", text="")
        side.separator()
        side.operator("smirk.load_channels", icon="FILEBROWSER", text="")
        side.operator("smirk.save_channels", icon="FILE_TICK", text="")
        if 0 <= settings.link_index < len(settings.links):
            chosen = settings.links[settings.link_index]
            column = layout.column()
            column.use_property_split = True
            column.use_property_decorate = False
            column.prop(chosen, "source")
            column.prop_search(chosen, "target", mesh.data.shape_keys, "key_blocks", icon="SHAPEKEY_DATA")
            column.prop(chosen, "gain")
            column.prop(chosen, "offset")
        box = layout.box()
        box.label(text=words.SECTION_BONES, icon="BONE_DATA")
        box.prop(settings, "armature", text="")
        if settings.armature is not None:
            for part in BONES:
                row = box.row(align=True)
                row.prop_search(settings, f"{part}_bone", settings.armature.data, "bones", text=words.BONES[part])
                gain = row.row(align=True)
                gain.ui_units_x = 3
                gain.prop(settings, f"{part}_gain", text="")
        layout.prop(settings, "others")
        layout.prop(settings, "mirror")
        layout.operator("smirk.apply_character", icon="PLAY")


CLASSES: tuple[type, ...] = (SMIRK_UL_channels, SMIRK_PT_character)
