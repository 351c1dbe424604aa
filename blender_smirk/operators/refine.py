# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Refine*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty

from ..key_notes import Keying, curves_of, edited_curves
from ..properties.takes import keying_of, recipe_of
from ..refine import keyed_note, refine_take, take_time
from ..take_store import take_of
from ..texts import refine as words
from ..texts import takes as take_words
from .base import run_reported
from .takes import TakeOperator

__all__ = ["CLASSES"]


class _Rewriting(TakeOperator):
    """Writes the curves of a take anew, and asks first where a hand has been at them."""

    local = True
    if not TYPE_CHECKING:
        overwrite: BoolProperty(name=take_words.OVERWRITE, description=take_words.OVERWRITE_TIP, options={"SKIP_SAVE"})
        keep_edited: BoolProperty(name=take_words.KEEP, description=take_words.KEEP_TIP, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: Any) -> set[Any]:
        edited: list[str] = []
        if run_reported(self, lambda: edited.extend(edited_curves(self.action(context)))) == {"CANCELLED"}:
            return {"CANCELLED"}
        options: Any = self
        if edited and not options.overwrite:
            options.keep_edited = True  # what a click on OK does harms nothing
            return context.window_manager.invoke_props_dialog(self)  # pyright: ignore[reportReturnType]
        return self.execute(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        action = self.action(context)
        edited = edited_curves(action)
        if edited:
            layout.label(text=words.EDITED.format(count=len(edited)), icon="ERROR")
        layout.prop(self, "keep_edited")
        layout.prop(self, "overwrite")

    def write(self, action: Any, **changes: Any) -> None:
        """Apply the settings of the take, or changes to them."""
        options: Any = self
        rate = keyed_note(action, take_of(action)).rate
        arguments = {"recipe": recipe_of(action.smirk, rate), "keying": keying_of(action.smirk)} | changes
        refined = refine_take(action, **arguments, overwrite=options.overwrite, keep_edited=options.keep_edited)
        keys = sum(len(curve.keyframe_points) for _, curve in curves_of(action))
        self.report({"INFO"}, words.APPLIED.format(frames=len(refined), keys=keys))


class SMIRK_OT_refine_take(_Rewriting):
    bl_idname = "smirk.refine_take"
    bl_label, bl_description = words.APPLY

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        self.write(action)


class SMIRK_OT_reset_take(_Rewriting):
    bl_idname = "smirk.reset_take"
    bl_label, bl_description = words.RESET

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        self.write(action, recipe=(), keying=Keying())


class SMIRK_OT_set_neutral(_Rewriting):
    bl_idname = "smirk.set_neutral"
    bl_label, bl_description = words.SET_NEUTRAL

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        settings: Any = action.smirk  # pyright: ignore[reportAttributeAccessIssue]
        before = settings.use_neutral, settings.neutral_time
        settings.use_neutral = True
        settings.neutral_time = take_time(action, context.scene.frame_current_final)
        try:
            self.write(action)
        except Exception:
            settings.use_neutral, settings.neutral_time = before
            raise


class SMIRK_OT_clear_neutral(_Rewriting):
    bl_idname = "smirk.clear_neutral"
    bl_label, bl_description = words.CLEAR_NEUTRAL

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        settings: Any = action.smirk  # pyright: ignore[reportAttributeAccessIssue]
        before = settings.use_neutral
        settings.use_neutral = False
        try:
            self.write(action)
        except Exception:
            settings.use_neutral = before
            raise


CLASSES: tuple[type, ...] = (
    SMIRK_OT_refine_take,
    SMIRK_OT_reset_take,
    SMIRK_OT_set_neutral,
    SMIRK_OT_clear_neutral,
)
