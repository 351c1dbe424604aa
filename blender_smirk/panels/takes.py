# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Takes*: the list, what can be done with a take, and how far it can be trusted."""

from __future__ import annotations

from typing import Any

import bpy

from ..confidence_icon import forget_icons, strip_of
from ..operators.base import chosen_take
from ..operators.takes import meant_take
from ..refine import heads_playing
from ..take_store import has_take, takes
from ..texts import takes as words

__all__ = ["CLASSES"]


class SMIRK_UL_takes(bpy.types.UIList):
    """Actions that carry a take."""

    bl_idname = "SMIRK_UL_takes"

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: Any, active_data: Any, active_property: Any
    ) -> None:
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon="ACTION")
        if item == chosen_take(context):
            row.label(text="", icon="PLAY")
        if item.asset_data is not None:
            row.label(text="", icon="ASSET_MANAGER")
        if item.library is not None:
            row.label(text="", icon="LINKED")

    def filter_items(self, context: Any, data: Any, property: Any) -> tuple[list[int], list[int]]:
        actions = list(getattr(data, property))
        wanted = self.filter_name.lower()
        inverted: bool = self.use_filter_invert
        shown = [has_take(a) and (not wanted or (wanted in a.name.lower()) != inverted) for a in actions]
        # Blender swaps shown and hidden after this where the list is inverted; what is no take must stay hidden.
        return [self.bitflag_filter_item if show != inverted else 0 for show in shown], []


class SMIRK_PT_takes(bpy.types.Panel):
    bl_idname = "SMIRK_PT_takes"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        scene: Any = context.scene
        if not takes():
            layout.label(text=words.EMPTY, icon="INFO")
            layout.operator("smirk.import_take", icon="FILEBROWSER")
            return
        action: Any = meant_take(context)
        row = layout.row()
        row.template_list("SMIRK_UL_takes", "", bpy.data, "actions", scene.smirk_takes, "index", rows=5)
        side = row.column(align=True)
        side.operator("smirk.import_take", text="", icon="FILEBROWSER")
        side.operator("smirk.duplicate_take", text="", icon="DUPLICATE")
        side.operator("smirk.delete_take", text="", icon="TRASH")
        side.separator()
        side.operator("smirk.push_take", text="", icon="NLA_PUSHDOWN")
        asset = "smirk.clear_take" if action is not None and action.asset_data is not None else "smirk.mark_take"
        side.operator(asset, text="", icon="ASSET_MANAGER", depress=asset == "smirk.clear_take")
        playing = chosen_take(context)
        if playing is not None and playing != action:
            text = words.OF_HEAD[0].format(take=playing.name)
            layout.operator("smirk.choose_take", text=text, icon="EYEDROPPER").take = playing.name
        if action is not None:
            _draw_take(layout, context, action)


def _draw_take(layout: Any, context: bpy.types.Context, action: Any) -> None:
    heads = heads_playing(action)
    column = layout.column(align=True)
    column.operator("smirk.make_take_current", icon="PLAY").take = action.name
    column.operator("smirk.import_take", text=words.AGAIN[0], icon="ARMATURE_DATA").take = action.name
    strip = strip_of(action)
    column = layout.column(align=True)
    if heads:
        column.label(text=words.PLAYING.format(head=", ".join(h.mesh.name for h in heads)), icon="OUTLINER_OB_ARMATURE")
    column.label(text=strip.text, icon="TIME")
    if strip.lost:
        column.label(text=strip.lost, icon="ERROR")
    if strip.icons:
        _draw_strip(layout, context, strip.icons)
    row = layout.row(align=True)
    row.operator("smirk.add_lost_markers", icon="MARKER_HLT").take = action.name
    row.operator("smirk.remove_lost_markers", text="", icon="X")


def _draw_strip(layout: Any, context: bpy.types.Context, icons: tuple[int, ...]) -> None:
    """Pictures side by side over the width of the region, as large as touch each other."""
    region: Any = context.region
    preferences: Any = context.preferences
    unit = 20.0 * preferences.system.ui_scale  # pixels of an icon of scale 1
    room = (region.width if region is not None else 250.0) - 2.2 * unit
    row = layout.row(align=True)
    for icon in icons:
        row.template_icon(icon_value=icon, scale=max(1.0, room / len(icons) / unit))


CLASSES: tuple[type, ...] = (SMIRK_UL_takes, SMIRK_PT_takes)


def register() -> None:
    """Nothing to begin with: pictures are made when they are first drawn."""


def unregister() -> None:
    forget_icons()
