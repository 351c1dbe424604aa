# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons that give a head the skin of photographs and take it off again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import (  # pyright: ignore[reportMissingImports]
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from smirk_core.errors import Cancelled, TakeError
from smirk_core.rendering.photo_texture import TextureOptions

from ..look import has_look
from ..photo_skin import has_photo_texture, remove_photo_texture, wear
from ..photo_texture import Steps, row_at, texture_steps
from ..rig import HeadObjects, model_of
from ..take_store import take_of
from ..texts import texture as words
from .base import chosen_head, chosen_take, run_reported
from .head import OnHead

__all__ = ["CLASSES"]

_TICK = 0.02  # seconds between two steps
_IMAGES = "*.png;*.jpg;*.jpeg;*.webp;*.tif;*.tiff;*.bmp"


class SMIRK_OT_photo_texture(OnHead, bpy.types.Operator):
    bl_idname = "smirk.photo_texture"
    bl_label, bl_description = words.TEXTURE
    if not TYPE_CHECKING:
        source: EnumProperty(name=words.SOURCE[0], description=words.SOURCE[1], items=words.SOURCES)
        count: IntProperty(name=words.COUNT[0], description=words.COUNT[1], default=6, min=1, max=24)
        size: EnumProperty(
            name=words.SIZE[0], description=words.SIZE[1], default="1024",
            items=[(s, s, "") for s in ("512", "1024", "2048", "4096")],
        )  # fmt: skip
        mirror: BoolProperty(name=words.MIRROR[0], description=words.MIRROR[1], default=True)
        light: FloatProperty(
            name=words.LIGHT[0], description=words.LIGHT[1], default=1.0, min=0.0, max=1.0, subtype="FACTOR"
        )
        glare: BoolProperty(name=words.GLARE[0], description=words.GLARE[1], default=True)
        brows: EnumProperty(name=words.BROWS[0], description=words.BROWS[1], items=words.BROW_KINDS)
        photos: StringProperty(
            name=words.PHOTOS[0], description=words.PHOTOS[1], options={"HIDDEN", "SKIP_SAVE"}
        )  # fmt: skip

    _steps: Steps | None = None
    _timer: Any = None
    _mesh = ""

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        if not has_look(head.mesh):
            return words.NO_LOOK
        return "" if chosen_take(context) is not None else words.NO_TAKE

    def begin(self, context: bpy.types.Context, head: HeadObjects) -> Steps:
        """The work, not begun."""
        action = chosen_take(context)
        if action is None:
            raise TakeError(words.NO_TAKE)
        take = take_of(action)
        rows = [row_at(action, context.scene.frame_current_final)] if self.source == "FRAME" else None
        options = TextureOptions(
            mirror=self.mirror, light=self.light, glare=self.glare, brows=self.brows == "PHOTO"
        )  # fmt: skip
        photos = [line for line in self.photos.splitlines() if line.strip()]
        return texture_steps(
            model_of(head), take, rows=rows, photos=photos, count=self.count, size=int(self.size), options=options
        )

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        steps = self.begin(context, head)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                wear(head, stop.value, brows=self.brows == "PHOTO")
                return

    def invoke(self, context: bpy.types.Context, _event: Any) -> set[Any]:
        """In a window: a step a tick, so that it can be watched and stopped."""
        head = chosen_head(context)
        if head is None or context.window is None:
            return self.execute(context)
        operator: Any = self

        def begin() -> None:
            self._steps, self._mesh = self.begin(context, head), head.mesh.name

        if run_reported(operator, begin) == {"CANCELLED"}:
            return {"CANCELLED"}
        manager = context.window_manager
        manager.progress_begin(0, 100)
        self._timer = manager.event_timer_add(_TICK, window=context.window)
        manager.modal_handler_add(operator)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: Any) -> set[Any]:
        operator: Any = self
        if event.type == "ESC" and event.value == "PRESS":
            self._leave(context)
            operator.report({"INFO"}, words.STOPPED)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        running = False

        def advance() -> None:
            nonlocal running
            assert self._steps is not None
            try:
                stage, done, total = next(self._steps)
            except StopIteration as stop:
                mesh = bpy.data.objects.get(self._mesh)
                head = HeadObjects.of(mesh) if mesh is not None else None
                if head is None:
                    raise Cancelled(words.GONE) from None
                wear(head, stop.value, brows=self.brows == "PHOTO")
                return
            running = True
            context.window_manager.progress_update(100 * done / max(total, 1))
            text = words.STATUS.format(stage=stage, done=done, total=total)
            context.workspace.status_text_set(text)

        result = run_reported(operator, advance)
        if running:
            return {"RUNNING_MODAL"}
        self._leave(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender closes the window or opens another file."""
        self._leave(context)

    def _leave(self, context: bpy.types.Context) -> None:
        self._steps = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        context.window_manager.progress_end()
        if context.workspace is not None:
            context.workspace.status_text_set(None)


class SMIRK_OT_photo_texture_files(OnHead, bpy.types.Operator):
    bl_idname = "smirk.photo_texture_files"
    bl_label, bl_description = words.FILES
    bl_options: ClassVar[set[str]] = {"REGISTER"}  # the other button changes something, this one only asks
    if not TYPE_CHECKING:
        files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
        directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
        filter_glob: StringProperty(default=_IMAGES, options={"HIDDEN"})

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return SMIRK_OT_photo_texture.needs(context, head)

    def invoke(self: Any, context: bpy.types.Context, _event: Any) -> set[Any]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self: Any, context: bpy.types.Context) -> set[Any]:
        names = [f.name for f in self.files if f.name]
        if not names:
            self.report({"ERROR"}, words.NO_FILES)
            return {"CANCELLED"}
        photos = "\n".join(str(Path(bpy.path.abspath(self.directory)) / name) for name in names)
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        call: Any = bpy.ops.smirk.photo_texture
        result = call(how, photos=photos)
        return {"FINISHED"} if result == {"RUNNING_MODAL"} else result


class SMIRK_OT_remove_texture(OnHead, bpy.types.Operator):
    bl_idname = "smirk.remove_texture"
    bl_label, bl_description = words.REMOVE

    @classmethod
    def needs(cls, context: bpy.types.Context, head: HeadObjects) -> str:
        return "" if has_photo_texture(head.mesh) else words.NO_TEXTURE

    def work(self, context: bpy.types.Context, head: HeadObjects) -> None:
        remove_photo_texture(head)


CLASSES: tuple[type, ...] = (SMIRK_OT_photo_texture, SMIRK_OT_photo_texture_files, SMIRK_OT_remove_texture)
