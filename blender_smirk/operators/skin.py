# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Skin*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, IntProperty  # pyright: ignore[reportMissingImports]

from smirk_core.skin.look import PRESETS

from ..rig import HeadObjects
from ..skin_bake import bake_skin, has_baked_skin, remove_baked_skin
from ..skin_look import has_numbers, set_skin
from ..texts import skin as words
from .head import OnHead

__all__ = ["CLASSES"]

_ITEMS = [(name, name, "") for name in PRESETS]


class _OnSkin(OnHead):
    """Works on a head whose skin was made here."""

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_numbers(head.mesh) else words.NO_NUMBERS


class SMIRK_OT_set_skin(_OnSkin, bpy.types.Operator):
    bl_idname = "smirk.set_skin"
    bl_label, bl_description = words.SET
    if not TYPE_CHECKING:
        preset: EnumProperty(name=words.PRESET, items=_ITEMS)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        set_skin(head.mesh, self.preset)


class SMIRK_OT_bake_skin(_OnSkin, bpy.types.Operator):
    bl_idname = "smirk.bake_skin"
    bl_label, bl_description = words.BAKE
    if not TYPE_CHECKING:
        size: IntProperty(name=words.SIZE[0], description=words.SIZE[1], default=1024, min=256, max=4096)
        seed: IntProperty(name=words.SEED[0], description=words.SEED[1], default=0, min=0)

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        bake_skin(head, self.size, seed=self.seed)
        self.report({"INFO"}, words.BAKED.format(size=self.size))


class SMIRK_OT_remove_baked_skin(_OnSkin, bpy.types.Operator):
    bl_idname = "smirk.remove_baked_skin"
    bl_label, bl_description = words.REMOVE

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_baked_skin(head.mesh) else words.NO_BAKE

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        remove_baked_skin(head.mesh)


CLASSES: tuple[type, ...] = (SMIRK_OT_set_skin, SMIRK_OT_bake_skin, SMIRK_OT_remove_baked_skin)
