# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Scene*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

from smirk_core.errors import TakeError

from .. import footage_view, frame_rate
from ..rig import HeadObjects
from ..take_store import take_of
from ..texts import scene as words
from ..texts import takes as take_words
from .base import chosen_head, run_reported
from .takes import meant_take

__all__ = ["CLASSES"]


class _OnHead(bpy.types.Operator):
    """Works on the chosen head."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.refusal(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def refusal(cls, context: bpy.types.Context) -> str:
        """Why it cannot be done, "" where it can."""
        head = chosen_head(context)
        if head is None:
            return take_words.NO_HEAD
        return "" if footage_view.head_cameras(head) else words.NO_CAMERA

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: self._execute(context))

    def _execute(self, context: bpy.types.Context) -> None:
        head = chosen_head(context)
        if head is None:
            raise TakeError(take_words.NO_HEAD)
        self.work(context, head)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        """What it does."""
        raise NotImplementedError


class SMIRK_OT_match_camera(_OnHead):
    bl_idname = "smirk.match_camera"
    bl_label, bl_description = words.MATCH
    if not TYPE_CHECKING:
        view: EnumProperty(
            name=words.VIEW,
            description=words.VIEW_TIP,
            items=(("ORTHOGRAPHIC", *words.ORTHOGRAPHIC), ("PERSPECTIVE", *words.PERSPECTIVE)),
        )
        lens: FloatProperty(
            name=words.LENS, description=words.LENS_TIP, min=0.0, max=5000.0, soft_max=300.0, options={"SKIP_SAVE"}
        )
        overwrite: BoolProperty(name=take_words.OVERWRITE, description=take_words.OVERWRITE_TIP, options={"SKIP_SAVE"})

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        options: Any = self
        footage_view.match_camera(
            context.scene, head.armature, options.view, lens=options.lens or None, overwrite=options.overwrite
        )


class SMIRK_OT_show_footage(_OnHead):
    bl_idname = "smirk.show_footage"
    bl_label, bl_description = words.SHOW
    if not TYPE_CHECKING:
        show: BoolProperty(name=words.SHOWN, description=words.SHOWN_TIP, default=True)
        opacity: FloatProperty(
            name=words.OPACITY, description=words.OPACITY_TIP, default=-1.0, min=-1.0, max=1.0, options={"SKIP_SAVE"}
        )

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        options: Any = self
        opacity = options.opacity if options.opacity >= 0 else None
        footage_view.show_footage(head.armature, options.show, opacity=opacity)


class SMIRK_OT_set_sound(_OnHead):
    bl_idname = "smirk.set_sound"
    bl_label, bl_description = words.SOUND
    if not TYPE_CHECKING:
        on: BoolProperty(name=words.ON, description=words.ON_TIP, default=True)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        options: Any = self
        playing = footage_view.takes_of_head(head)
        action = playing[0] if playing else meant_take(context)
        if action is None:
            raise TakeError(take_words.NO_TAKE)
        if not footage_view.set_sound(context.scene, action, options.on):
            self.report({"WARNING"}, words.NO_SOUND)


class SMIRK_OT_set_frame_rate(_OnHead):
    bl_idname = "smirk.set_frame_rate"
    bl_label, bl_description = words.RATE
    if not TYPE_CHECKING:
        policy: EnumProperty(
            name=words.POLICY,
            description=words.POLICY_TIP,
            items=(("FOOTAGE", *words.RATE_FOOTAGE), ("SCENE", *words.RATE_SCENE)),
        )
        fps: FloatProperty(name=words.FPS, description=words.FPS_TIP, min=0.0, max=1000.0, options={"SKIP_SAVE"})
        overwrite: BoolProperty(name=take_words.OVERWRITE, description=take_words.OVERWRITE_TIP, options={"SKIP_SAVE"})

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        options: Any = self
        rate = frame_rate.set_rate_policy(
            context.scene, head.armature, options.policy, rate=options.fps or None, overwrite=options.overwrite
        )
        own = frame_rate.footage_rate(take_of(footage_view.takes_of_head(head)[0]))
        if own > 0 and abs(own - rate) > 1e-3:
            self.report({"WARNING"}, words.OUT_OF_STEP.format(rate=own))
        else:
            self.report({"INFO"}, words.RATE_SET.format(rate=rate))


CLASSES: tuple[type, ...] = (
    SMIRK_OT_match_camera,
    SMIRK_OT_show_footage,
    SMIRK_OT_set_sound,
    SMIRK_OT_set_frame_rate,
)
