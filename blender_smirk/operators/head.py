# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Head*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import (  # pyright: ignore[reportMissingImports]
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
)

from .. import preset_icons
from ..gaze import clear_gaze, has_gaze, set_gaze
from ..identity import add_identity_keys, bake_identity
from ..likeness import live_sliders, randomise_identity, reset_identity, symmetrise_identity
from ..posing import apply_preset, has_arkit_keys, is_animated, make_symmetric
from ..rig import HeadObjects, model_of
from ..texts import head as words
from ..wear import refit
from .base import chosen_head, run_reported

__all__ = ["CLASSES", "OnHead", "refusal"]


def refusal(context: bpy.types.Context) -> str:
    """Why there is no head to work on; "" where there is one."""
    head = chosen_head(context)
    if head is None:
        return words.NO_HEAD
    if any(block.library is not None for block in (head.armature, head.mesh, head.mesh.data, head.keys)):
        return words.LINKED
    return ""


class OnHead:
    """Works on the chosen head."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = refusal(context)
        if not reason:
            head = chosen_head(context)
            assert head is not None
            reason = cls.needs(context, head)
        if reason:
            cls.poll_message_set(reason)  # pyright: ignore[reportAttributeAccessIssue]
        return not reason

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        """What else is missing, or ""."""
        return ""

    def execute(self: Any, context: bpy.types.Context) -> set[Any]:
        head = chosen_head(context)
        if head is None:
            return {"CANCELLED"}
        return run_reported(self, lambda: self.work(context, head))

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        raise NotImplementedError


def _strength(most: float = 1.0) -> Any:
    return FloatProperty(
        name=words.STRENGTH[0], description=words.STRENGTH[1], default=1.0, min=0.0, max=most, soft_max=1.0,
        subtype="FACTOR",
    )  # fmt: skip


def _keys() -> Any:
    return BoolProperty(name=words.INSERT_KEYS[0], description=words.INSERT_KEYS[1])


class SMIRK_OT_identity_sliders(OnHead, bpy.types.Operator):
    bl_idname = "smirk.identity_sliders"
    bl_label, bl_description = words.SLIDERS
    if not TYPE_CHECKING:
        count: IntProperty(name=words.SLIDER_COUNT[0], description=words.SLIDER_COUNT[1], default=10, min=1, max=400)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        model = model_of(head)
        add_identity_keys(head, model, min(self.count, model.identity_size))
        refit(head, model)


class SMIRK_OT_bake_identity(OnHead, bpy.types.Operator):
    bl_idname = "smirk.bake_identity"
    bl_label, bl_description = words.BAKE

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if live_sliders(head) else words.NO_SLIDERS

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        bake_identity(head, model_of(head))
        refit(head)


class SMIRK_OT_symmetrise_face(OnHead, bpy.types.Operator):
    bl_idname = "smirk.symmetrise_face"
    bl_label, bl_description = words.SYMMETRISE
    if not TYPE_CHECKING:
        strength: _strength()

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        symmetrise_identity(head, self.strength)


class SMIRK_OT_random_face(OnHead, bpy.types.Operator):
    bl_idname = "smirk.random_face"
    bl_label, bl_description = words.RANDOMISE
    if not TYPE_CHECKING:
        seed: IntProperty(name=words.SEED[0], description=words.SEED[1], default=1, min=0)
        spread: FloatProperty(
            name=words.SPREAD[0], description=words.SPREAD[1], default=0.9, min=0.0, max=2.0, soft_max=1.3
        )
        likeness: FloatProperty(
            name=words.LIKENESS[0], description=words.LIKENESS[1], default=0.0, min=0.0, max=1.0, subtype="FACTOR"
        )

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        randomise_identity(head, self.seed, spread=self.spread, likeness=self.likeness)


class SMIRK_OT_reset_face(OnHead, bpy.types.Operator):
    bl_idname = "smirk.reset_face"
    bl_label, bl_description = words.RESET

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        reset_identity(head)


class SMIRK_OT_apply_preset(OnHead, bpy.types.Operator):
    bl_idname = "smirk.apply_preset"
    bl_label, bl_description = words.APPLY_PRESET
    if not TYPE_CHECKING:
        preset: EnumProperty(name=words.PRESET[0], description=words.PRESET[1], items=preset_icons.items)
        strength: _strength(1.5)
        insert_keys: _keys()

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_arkit_keys(head) else words.NO_ARKIT

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        apply_preset(head, self.preset, strength=self.strength, insert_keys=self.insert_keys)
        _tell_unkeyed(self, head, self.insert_keys)


class SMIRK_OT_even_expression(OnHead, bpy.types.Operator):
    bl_idname = "smirk.even_expression"
    bl_label, bl_description = words.EVEN
    if not TYPE_CHECKING:
        side: EnumProperty(name=words.SIDE[0], description=words.SIDE[1], items=words.SIDES)
        strength: _strength()
        insert_keys: _keys()

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_arkit_keys(head) else words.NO_ARKIT

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        make_symmetric(head, self.side, strength=self.strength, insert_keys=self.insert_keys)
        _tell_unkeyed(self, head, self.insert_keys)


def _tell_unkeyed(operator: Any, head: HeadObjects, keyed: bool) -> None:
    if not keyed and is_animated(head):
        operator.report({"INFO"}, words.UNKEYED)


class SMIRK_OT_set_gaze(OnHead, bpy.types.Operator):
    bl_idname = "smirk.set_gaze"
    bl_label, bl_description = words.SET_GAZE
    if not TYPE_CHECKING:
        kind: EnumProperty(name=words.GAZE_KIND[0], description=words.GAZE_KIND[1], items=words.GAZE_KINDS)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        head, target, missing = chosen_head(context), None, ""
        if head is None:
            return {"CANCELLED"}
        if self.kind == "CAMERA":
            target, missing = context.scene.camera, words.NO_CAMERA
        elif self.kind == "SELECTED":
            others = [o for o in context.selected_objects if o not in (head.armature, head.mesh)]
            target, missing = (others[0] if len(others) == 1 else None), words.NO_SELECTED
        if self.kind != "EMPTY" and target is None:
            self.report({"ERROR"}, missing)
            return {"CANCELLED"}
        return run_reported(self, lambda: set_gaze(head, target))


class SMIRK_OT_clear_gaze(OnHead, bpy.types.Operator):
    bl_idname = "smirk.clear_gaze"
    bl_label, bl_description = words.CLEAR_GAZE

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_gaze(head) else words.NO_TARGET

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        clear_gaze(head)


CLASSES: tuple[type, ...] = (
    SMIRK_OT_identity_sliders,
    SMIRK_OT_bake_identity,
    SMIRK_OT_symmetrise_face,
    SMIRK_OT_random_face,
    SMIRK_OT_reset_face,
    SMIRK_OT_apply_preset,
    SMIRK_OT_even_expression,
    SMIRK_OT_set_gaze,
    SMIRK_OT_clear_gaze,
)
