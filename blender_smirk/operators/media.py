# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing what is captured: the file browser, files dropped into the 3D view."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..media_files import SUFFIXES, chosen_media
from ..texts import capture as words

__all__ = ["CLASSES"]


class SMIRK_OT_pick_media(bpy.types.Operator, ImportHelper):
    bl_idname = "smirk.pick_media"
    bl_label, bl_description = words.PICK_MEDIA
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    if not TYPE_CHECKING:
        filter_glob: StringProperty(default=";".join(f"*{s}" for s in SUFFIXES), options={"HIDDEN"})
        directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
        files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
        sequence: BoolProperty(name=words.SEQUENCE, description=words.SEQUENCE_TIP, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[Any]:
        _set_media(self, context)
        return {"FINISHED"}


class SMIRK_OT_drop_media(bpy.types.Operator):
    bl_idname = "smirk.drop_media"
    bl_label, bl_description = words.DROP_MEDIA
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    if not TYPE_CHECKING:
        filepath: StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
        directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
        files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
        sequence: BoolProperty(name=words.SEQUENCE, description=words.SEQUENCE_TIP, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: Any) -> set[Any]:
        """Ask what to do with it before anything starts: a drop is easily made by accident."""
        _set_media(self, context)
        return context.window_manager.invoke_props_dialog(self, width=340)

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        scene: Any = context.scene
        settings = scene.smirk_capture
        layout.label(text=Path(settings.media).name, icon="FILE_MOVIE")
        if len(settings.more):
            layout.label(text=words.FILES_MORE.format(count=len(settings.more)), icon="ADD")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "faces")
        if settings.faces == "COUNT":
            column.prop(settings, "face_count")
        column.prop(settings, "head")
        if settings.head == "FILE":
            column.prop(settings, "head_file")
        column.prop(settings, "target")

    def execute(self, context: bpy.types.Context) -> set[Any]:
        _set_media(self, context)
        if bpy.app.background:
            return bpy.ops.smirk.capture()
        bpy.ops.smirk.capture("INVOKE_DEFAULT")
        return {"FINISHED"}


class SMIRK_OT_clear_media(bpy.types.Operator):
    bl_idname = "smirk.clear_media"
    bl_label, bl_description = words.CLEAR_MEDIA
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        scene: Any = context.scene
        scene.smirk_capture.more.clear()
        scene.smirk_capture.media = ""
        return {"FINISHED"}


def _set_media(operator: Any, context: bpy.types.Context) -> None:
    """The files that an operator was given, into the scene's settings."""
    scene: Any = context.scene
    settings = scene.smirk_capture
    paths = chosen_media(operator.directory, [f.name for f in operator.files], operator.filepath)
    if not paths:
        return
    settings.more.clear()
    for path in paths[1:]:
        settings.more.add().path = path
    settings.sequence = operator.sequence
    settings.media = paths[0]


CLASSES: tuple[type, ...] = (SMIRK_OT_pick_media, SMIRK_OT_drop_media, SMIRK_OT_clear_media)

if bpy.app.version >= (4, 1):  # before, files could not be dropped on add-ons

    class SMIRK_FH_media(bpy.types.FileHandler):
        bl_idname = "SMIRK_FH_media"
        bl_label = words.DROP_MEDIA[0]
        bl_import_operator = "smirk.drop_media"
        bl_file_extensions = ";".join(SUFFIXES)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return context.area is not None and context.area.type == "VIEW_3D"

    CLASSES += (SMIRK_FH_media,)
