# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Files*."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..texts import files as words

__all__ = ["CLASSES"]


class SMIRK_PT_files(bpy.types.Panel):
    bl_idname = "SMIRK_PT_files"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    bl_order = 70

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        row = layout.row(align=True)
        for ending, label, _tip in words.FORMATS:
            button = row.operator("smirk.export_head", text=label.split(" ")[0])
            button.format = ending
        layout.operator("smirk.export_take", icon="FILE_TICK")
        layout.operator("smirk.export_csv", icon="SPREADSHEET")


CLASSES: tuple[type, ...] = (SMIRK_PT_files,)
