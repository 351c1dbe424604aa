# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Wrinkles*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty  # pyright: ignore[reportMissingImports]
from bpy_extras.io_utils import ImportHelper  # pyright: ignore[reportMissingImports]

from ..detail import (
    add_wrinkles,
    bake_wrinkles,
    has_person_detail,
    has_wrinkles,
    person_from_take,
    remove_person_detail,
    remove_wrinkles,
    wear_person_detail,
)
from ..look import has_look
from ..posing import has_arkit_keys
from ..rig import HeadObjects
from ..texts import detail as words
from .base import chosen_take
from .head import OnHead

__all__ = ["CLASSES"]


def can_wrinkle(head: HeadObjects) -> str:
    """Why a head cannot wrinkle; "" where it can."""
    if not has_arkit_keys(head):
        return words.NO_ARKIT
    if not has_look(head.mesh):
        return words.NO_LOOK
    return "" if len(head.mesh.data.uv_layers) else words.NO_UVS


class _OnHead(OnHead):
    """Works on a head that can wrinkle."""

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return can_wrinkle(head)


class SMIRK_OT_add_wrinkles(_OnHead, bpy.types.Operator):
    bl_idname = "smirk.add_wrinkles"
    bl_label, bl_description = words.ADD
    if not TYPE_CHECKING:
        displacement: BoolProperty(name=words.DISPLACEMENT[0], description=words.DISPLACEMENT[1])

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        add_wrinkles(head, displacement=self.displacement)


class SMIRK_OT_remove_wrinkles(_OnHead, bpy.types.Operator):
    bl_idname = "smirk.remove_wrinkles"
    bl_label, bl_description = words.REMOVE

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_wrinkles(head.mesh) else words.NO_WRINKLES

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        remove_wrinkles(head)


class SMIRK_OT_recover_detail(_OnHead, bpy.types.Operator):
    bl_idname = "smirk.recover_detail"
    bl_label, bl_description = words.RECOVER
    if not TYPE_CHECKING:
        frames: IntProperty(name=words.FRAMES[0], description=words.FRAMES[1], default=8, min=1, max=64)
        filepath: StringProperty(name=words.SAVE[0], description=words.SAVE[1], subtype="FILE_PATH", options={"HIDDEN"})

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return can_wrinkle(head) or ("" if chosen_take(context) is not None else words.NO_TAKE)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        take = chosen_take(context)
        assert take is not None  # poll has seen it
        detail = person_from_take(head, take, frames=self.frames)
        if self.filepath:
            detail.save(bpy.path.abspath(self.filepath))
        wear_person_detail(head, detail)


class SMIRK_OT_load_detail(_OnHead, ImportHelper, bpy.types.Operator):
    bl_idname = "smirk.load_detail"
    bl_label, bl_description = words.LOAD
    filename_ext = ".npz"
    if not TYPE_CHECKING:
        filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def work(self: Any, context: bpy.types.Context, head: HeadObjects) -> None:
        wear_person_detail(head, self.filepath)


class SMIRK_OT_remove_detail(_OnHead, bpy.types.Operator):
    bl_idname = "smirk.remove_detail"
    bl_label, bl_description = words.REMOVE_PERSON

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_person_detail(head.mesh) else words.NO_PERSON

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        remove_person_detail(head)


class SMIRK_OT_bake_wrinkles(_OnHead, bpy.types.Operator):
    bl_idname = "smirk.bake_wrinkles"
    bl_label, bl_description = words.BAKE
    bl_options: ClassVar[set[str]] = {"REGISTER"}
    if not TYPE_CHECKING:
        directory: StringProperty(subtype="DIR_PATH")
        filter_folder: BoolProperty(default=True, options={"HIDDEN"})
        size: EnumProperty(
            name=words.BAKE_SIZE[0], description=words.BAKE_SIZE[1], default="2048",
            items=[(s, s, "") for s in ("1024", "2048", "4096")],
        )  # fmt: skip

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_wrinkles(head.mesh) else words.NO_WRINKLES

    def invoke(self, context: Any, event: Any) -> set[Any]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self: Any, context: bpy.types.Context, head: HeadObjects) -> None:
        files = bake_wrinkles(head, self.directory, size=int(self.size))
        self.report({"INFO"}, words.BAKED.format(count=len(files), folder=self.directory))


CLASSES: tuple[type, ...] = (
    SMIRK_OT_add_wrinkles,
    SMIRK_OT_remove_wrinkles,
    SMIRK_OT_recover_detail,
    SMIRK_OT_load_detail,
    SMIRK_OT_remove_detail,
    SMIRK_OT_bake_wrinkles,
)
