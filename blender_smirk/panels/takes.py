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
        row = layout.row()
        row.template_list("SMIRK_UL_takes", "", bpy.data, "actions", scene.smirk_takes, "index", rows=4)
        side = row.column(align=True)
        side.operator("smirk.import_take", text="", icon="FILEBROWSER")
        side.operator("smirk.duplicate_take", text="", icon="DUPLICATE")
        side.operator("smirk.delete_take", text="", icon="TRASH")
        action: Any = meant_take(context)
        playing = chosen_take(context)
        if playing is not None and playing != action:
            text = words.OF_HEAD[0].format(take=playing.name)
            layout.operator("smirk.choose_take", text=text, icon="EYEDROPPER").take = playing.name
        if action is None:
            return
        _draw_take(layout, action)


def _draw_take(layout: Any, action: Any) -> None:
    heads = heads_playing(action)
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("smirk.make_take_current", icon="PLAY").take = action.name
    row.operator("smirk.push_take", icon="NLA_PUSHDOWN").take = action.name
    row = column.row(align=True)
    again = row.operator("smirk.import_take", text=words.AGAIN[0], icon="ARMATURE_DATA")
    again.take = action.name
    if action.asset_data is None:
        row.operator("smirk.mark_take", icon="ASSET_MANAGER").take = action.name
    else:
        row.operator("smirk.clear_take", icon="ASSET_MANAGER").take = action.name
    column = layout.column(align=True)
    if heads:
        column.label(text=words.PLAYING.format(head=", ".join(h.mesh.name for h in heads)), icon="OUTLINER_OB_ARMATURE")
    strip = strip_of(action)
    column.label(text=strip.text, icon="SEQ_HISTOGRAM")
    if strip.icon:
        column.template_icon(icon_value=strip.icon, scale=4.0)
    row = column.row(align=True)
    row.operator("smirk.add_lost_markers", icon="MARKER_HLT").take = action.name
    row.operator("smirk.remove_lost_markers", text="", icon="X")


CLASSES: tuple[type, ...] = (SMIRK_UL_takes, SMIRK_PT_takes)


def register() -> None:
    """Nothing to begin with: pictures are made when they are first drawn."""


def unregister() -> None:
    forget_icons()
