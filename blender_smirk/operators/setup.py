# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the preferences: test the tracking process, get the face model, bring one's own files."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import bpy

from smirk_core import user_assets
from smirk_core.errors import AssetError, Cancelled, SmirkError

from .. import engine_test, face_model, online_access, preferences
from ..texts import preferences as words
from .base import run_reported

__all__ = ["CLASSES"]

_INTERVAL = 0.2  # seconds between two looks


class _Waiting:
    """An operator that looks now and then whether something has come to its end, and leaves Blender alone meanwhile."""

    _timer: Any = None

    def wait_in(self, context: bpy.types.Context) -> set[Any]:
        """Go on in :meth:`modal`."""
        manager = context.window_manager
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.modal_handler_add(self)  # pyright: ignore[reportArgumentType]
        return {"RUNNING_MODAL"}

    def look(self) -> set[Any] | None:
        """The end, or None."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Called where Blender ends the operator."""

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        ended = self.look()
        _redraw()
        if ended is None:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return ended

    def cancel(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
        self.give_up()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


class SMIRK_OT_test_engine(_Waiting, bpy.types.Operator):
    bl_idname = "smirk.test_engine"
    bl_label = words.TEST
    bl_description = words.TEST_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _unless(cls, engine_test.running(), words.TEST_RUNNING)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        try:
            engine_test.begin(_python())
        except SmirkError as error:
            return self._tell(engine_test.EngineReport(_python(), problem=str(error)))
        return self.wait_in(context)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        try:
            engine_test.begin(_python())
            report = engine_test.wait()
        except SmirkError as error:
            report = engine_test.EngineReport(_python(), problem=str(error))
        return self._tell(report)

    def look(self) -> set[Any] | None:
        report = engine_test.tick()
        if report is not None:
            return self._tell(report)
        return None if engine_test.running() else {"CANCELLED"}

    def give_up(self) -> None:
        engine_test.stop()

    def _tell(self, report: engine_test.EngineReport) -> set[Any]:
        with contextlib.suppress(AttributeError):  # the defaults, where there are no preferences
            preferences.get().engine_report = report.stored()
        if report.problem:
            self.report({"ERROR"}, words.TEST_BAD.format(problem=report.problem))
            return {"CANCELLED"}
        self.report({"INFO"}, words.TEST_GOOD.format(engine=report.engine))
        return {"FINISHED"}


class SMIRK_OT_copy_engine_report(bpy.types.Operator):
    bl_idname = "smirk.copy_engine_report"
    bl_label = words.COPY
    bl_description = words.COPY_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _unless(cls, _last() is None, words.NO_REPORT)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        report = _last()
        context.window_manager.clipboard = report.text or report.problem if report is not None else ""
        self.report({"INFO"}, words.COPIED)
        return {"FINISHED"}


class SMIRK_OT_pick_face_model(bpy.types.Operator):
    bl_idname = "smirk.pick_face_model"
    bl_label = words.MODEL_PICK
    bl_description = words.MODEL_PICK_TIP

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # pyright: ignore[reportInvalidTypeForm]
    filter_glob: bpy.props.StringProperty(default="*.task", options={"HIDDEN"})  # pyright: ignore[reportInvalidTypeForm]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        def work() -> None:
            face_model.install(bpy.path.abspath(self.filepath))
            self.report({"INFO"}, words.MODEL_READY)

        return run_reported(self, work)


class SMIRK_OT_download_face_model(_Waiting, bpy.types.Operator):
    bl_idname = "smirk.download_face_model"
    bl_label = words.MODEL_GET
    bl_description = words.MODEL_GET_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not online_access.allowed():
            return _unless(cls, True, online_access.reason())
        return _unless(cls, face_model.progress() is not None, words.DOWNLOADING)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        face_model.begin_download()
        return self.wait_in(context)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        def work() -> None:
            if not online_access.allowed():  # poll can be overridden by a script
                raise AssetError(online_access.reason())
            face_model.download()
            self.report({"INFO"}, words.MODEL_READY)

        return run_reported(self, work)

    def look(self) -> set[Any] | None:
        try:
            if face_model.finished():
                self.report({"INFO"}, words.MODEL_READY)
                return {"FINISHED"}
        except Cancelled:
            self.report({"INFO"}, words.MODEL_STOPPED)
            return {"CANCELLED"}
        except SmirkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return None if face_model.progress() is not None else {"CANCELLED"}

    def give_up(self) -> None:
        face_model.stop_download()


class SMIRK_OT_stop_face_model(bpy.types.Operator):
    bl_idname = "smirk.stop_face_model"
    bl_label = words.MODEL_STOP
    bl_description = words.MODEL_STOP_TIP

    def execute(self, context: bpy.types.Context) -> set[Any]:
        face_model.stop_download()
        return {"FINISHED"}


class SMIRK_OT_open_data_folder(bpy.types.Operator):
    bl_idname = "smirk.open_data_folder"
    bl_label = words.OPEN
    bl_description = words.OPEN_TIP

    def execute(self, context: bpy.types.Context) -> set[Any]:
        def work() -> None:
            folder = user_assets.data_folder()
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AssetError(f"Cannot make {folder}: {error.strerror or error}.") from error
            if not bpy.app.background:
                bpy.ops.wm.path_open(filepath=str(folder))

        return run_reported(self, work)


class SMIRK_OT_import_assets(bpy.types.Operator):
    bl_idname = "smirk.import_assets"
    bl_label = words.IMPORT
    bl_description = words.IMPORT_TIP

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # pyright: ignore[reportInvalidTypeForm]
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})  # pyright: ignore[reportInvalidTypeForm]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[Any]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        def work() -> None:
            from smirk_core.asset_import import import_files

            file = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
            chosen = file if file is not None and file.exists() else Path(bpy.path.abspath(self.directory))
            result = import_files([chosen])
            if not result.kept:
                raise AssetError("; ".join(e.text for e in result.skipped[:3]) or words.IMPORT_NOTHING)
            for entry in result.entries:
                self.report({"INFO"}, entry.text)
            self.report({"INFO"}, words.IMPORTED.format(count=len(result.kept)))

        return run_reported(self, work)


def _python() -> str:
    return bpy.path.abspath(preferences.get().python)


def _last() -> engine_test.EngineReport | None:
    own = preferences.get()
    return engine_test.remembered(own.engine_report, _python())


def _unless(cls: Any, hindered: bool, reason: str) -> bool:
    if hindered:
        cls.poll_message_set(reason)
    return not hindered


CLASSES = (
    SMIRK_OT_test_engine,
    SMIRK_OT_copy_engine_report,
    SMIRK_OT_pick_face_model,
    SMIRK_OT_download_face_model,
    SMIRK_OT_stop_face_model,
    SMIRK_OT_open_data_folder,
    SMIRK_OT_import_assets,
)


def unregister() -> None:
    """Leave no process and no download behind."""
    engine_test.stop()
    face_model.stop_download()
