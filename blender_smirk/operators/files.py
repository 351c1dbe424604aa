# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Files*: heads, takes and tables for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty  # pyright: ignore[reportMissingImports]
from bpy_extras.io_utils import ExportHelper  # pyright: ignore[reportMissingImports]

from ..export_take import save_csv, save_take
from ..rig import HeadObjects
from ..save import save
from ..texts import files as words
from .base import chosen_head, chosen_take, run_reported

__all__ = ["CLASSES"]


def _heads(context: bpy.types.Context) -> list[HeadObjects]:
    return [h for h in map(HeadObjects.of, context.scene.objects) if h is not None]


class _Export(ExportHelper):
    """Proposes a name after the take or head instead of *untitled*."""

    def invoke(self: Any, context: Any, event: Any) -> set[Any]:
        if not self.filepath:
            take, head = chosen_take(context), chosen_head(context)
            name = take.name if take is not None else head.mesh.name if head is not None else "head"
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path()
            self.filepath = str(folder / (bpy.path.clean_name(name) + self.filename_ext))
        return super().invoke(context, event)

    def written(self: Any, path: Path) -> None:
        self.report({"INFO"}, words.WRITTEN.format(path=path))


class _OfTake(_Export):
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if chosen_take(context) is None:
            cls.poll_message_set(words.NO_TAKE)  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return True


class SMIRK_OT_export_head(_Export, bpy.types.Operator):
    bl_idname = "smirk.export_head"
    bl_label, bl_description = words.EXPORT_HEAD
    if not TYPE_CHECKING:
        format: EnumProperty(name=words.FORMAT[0], description=words.FORMAT[1], items=words.FORMATS)
        only_this: BoolProperty(name=words.ONLY_THIS[0], description=words.ONLY_THIS[1], default=True)
        filter_glob: StringProperty(default="*.glb;*.fbx;*.usd;*.usda;*.usdc", options={"HIDDEN"})

    @property
    def filename_ext(self) -> str:
        """The ending of the chosen format."""
        return self.format

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not _heads(context):
            cls.poll_message_set(words.NO_HEAD)
            return False
        return True

    def check(self, context: Any) -> bool:
        path = Path(self.filepath)
        wanted = path.with_suffix(self.format)
        if path.suffix.lower() == self.format or (self.format == ".usd" and path.suffix in (".usda", ".usdc")):
            return False
        self.filepath = str(wanted)
        return True

    def execute(self, context: bpy.types.Context) -> set[Any]:
        head = chosen_head(context)
        chosen = [head] if self.only_this and head is not None else None
        path = self.filepath if Path(self.filepath).suffix else self.filepath + self.format
        return run_reported(self, lambda: self.written(save(path, heads=chosen)))


class SMIRK_OT_export_take(_OfTake, bpy.types.Operator):
    bl_idname = "smirk.export_take"
    bl_label, bl_description = words.EXPORT_TAKE
    filename_ext = ".take.npz"
    if not TYPE_CHECKING:
        filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def check(self, context: Any) -> bool:
        return False  # two dots: Blender's own check would add the ending again

    def execute(self, context: bpy.types.Context) -> set[Any]:
        take = chosen_take(context)
        if take is None:
            return {"CANCELLED"}
        return run_reported(self, lambda: self.written(save_take(take, self.filepath)))


class SMIRK_OT_export_csv(_OfTake, bpy.types.Operator):
    bl_idname = "smirk.export_csv"
    bl_label, bl_description = words.EXPORT_CSV
    filename_ext = ".csv"
    if not TYPE_CHECKING:
        raw: BoolProperty(name=words.RAW[0], description=words.RAW[1])
        filter_glob: StringProperty(default="*.csv", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[Any]:
        take, head = chosen_take(context), chosen_head(context)
        if take is None:
            return {"CANCELLED"}
        return run_reported(self, lambda: self.written(save_csv(take, self.filepath, head=head, raw=self.raw)))


CLASSES: tuple[type, ...] = (SMIRK_OT_export_head, SMIRK_OT_export_take, SMIRK_OT_export_csv)
