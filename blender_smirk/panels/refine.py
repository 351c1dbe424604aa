# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Refine*: settings of the chosen take, applied in one click from what was captured."""

from __future__ import annotations

from typing import Any

import bpy

from smirk_core.refine.recipe import FACE_SLIDERS, GAIN_SLIDERS

from ..operators.takes import meant_take
from ..properties.takes import is_pending
from ..texts import refine as words
from ..texts import takes as take_words

__all__ = ["CLASSES"]


class _InSidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"


class SMIRK_PT_refine(_InSidebar, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine"
    bl_label = words.PANEL
    bl_order = 30

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        action: Any = meant_take(context)
        if action is None:
            layout.label(text=take_words.NO_TAKE, icon="INFO")
            return
        layout.label(text=action.name, icon="ACTION")
        settings = action.smirk
        if settings.foreign:
            layout.label(text=words.FROM_TRACKING.format(names=settings.foreign), icon="INFO")
        pending = is_pending(settings)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.scale_y = 1.4
        row.operator("smirk.refine_take", icon="FILE_REFRESH", depress=pending).take = action.name
        row.operator("smirk.reset_take", text="", icon="LOOP_BACK").take = action.name
        if pending:
            column.label(text=words.PENDING, icon="ERROR")


class _Part(_InSidebar):
    """A part of the panel; what it holds is drawn by ``fill``."""

    bl_parent_id = "SMIRK_PT_refine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return meant_take(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        action: Any = meant_take(context)
        layout: Any = self.layout  # pyright: ignore[reportAttributeAccessIssue]
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = action.library is None
        self.fill(layout, action, action.smirk)

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        """Draw the settings."""
        raise NotImplementedError


class SMIRK_PT_refine_smoothing(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_smoothing"
    bl_label = words.SMOOTHING

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        column = layout.column(align=True)
        for region in FACE_SLIDERS:
            column.prop(settings, f"smooth_{region}", slider=True)
        column = layout.column()
        column.prop(settings, "method")
        if settings.method == "savgol":
            column.prop(settings, "window")
        layout.column(heading=words.REMOVE).prop(settings, "bad_frames")


class SMIRK_PT_refine_neutral(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_neutral"
    bl_label = words.CALIBRATION

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        row = layout.row(align=True)
        row.operator("smirk.set_neutral", icon="USER").take = action.name
        if settings.use_neutral:
            row.operator("smirk.clear_neutral", text="", icon="X").take = action.name
            layout.label(text=words.NEUTRAL_AT.format(time=settings.neutral_time))
        layout.prop(settings, "neutral_gaze")


class SMIRK_PT_refine_gain(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_gain"
    bl_label = words.AMOUNT
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        column = layout.column(align=True)
        for region in GAIN_SLIDERS:
            column.prop(settings, f"gain_{region}", slider=True)


class SMIRK_PT_refine_gaps(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_gaps"
    bl_label = words.REPAIR
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        layout.prop(settings, "gaps")
        column = layout.column()
        column.active = settings.gaps != "keep"
        column.prop(settings, "confidence", slider=True)


class SMIRK_PT_refine_timing(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_timing"
    bl_label = words.TIMING
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        layout.prop(settings, "mirror")
        layout.prop(settings, "offset")


class SMIRK_PT_refine_keys(_Part, bpy.types.Panel):
    bl_idname = "SMIRK_PT_refine_keys"
    bl_label = words.KEYS
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def fill(self, layout: Any, action: Any, settings: Any) -> None:
        layout.prop(settings, "keying")
        if settings.keying == "REDUCED":
            layout.prop(settings, "error")


CLASSES: tuple[type, ...] = (
    SMIRK_PT_refine,
    SMIRK_PT_refine_smoothing,
    SMIRK_PT_refine_neutral,
    SMIRK_PT_refine_gain,
    SMIRK_PT_refine_gaps,
    SMIRK_PT_refine_timing,
    SMIRK_PT_refine_keys,
)
