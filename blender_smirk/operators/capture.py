# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Capture*: start, stop, and what keeps the window alive meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.app.handlers import persistent
from bpy.props import StringProperty

from smirk_core.errors import Cancelled, SmirkError

from .. import capture_preview, capture_status, media_info
from ..capture_queue import QUEUE
from ..capture_report import report_text
from ..capture_session import CaptureSession, Session
from ..capture_settings import absolute, media_paths, requests_from
from ..capture_view import frame_first_head
from ..face_search import FaceSearch
from ..texts import capture as words
from ..worker_python import worker_python
from .base import run_reported

__all__ = ["CLASSES", "drive", "shut_down"]

_TICK = 0.1  # seconds between two looks at the worker
_PAUSE = 0.02  # seconds between two looks where nobody waits for a window


def drive(context: bpy.types.Context, *, patient: bool = True) -> Session | None:
    """One tick of the queue, and its state for the panel; returns a session that has just ended."""
    ended = QUEUE.tick(patient=patient)
    job: Any = context.window_manager.smirk_job
    if capture_status.publish(QUEUE, job) or ended is not None:
        capture_status.redraw()
        capture_status.set_status(context.workspace, job)
    return ended


def shut_down() -> None:
    """End everything that runs and keep nothing; the scene is as it was."""
    QUEUE.shut_down()
    capture_preview.clear()


class _Driven:
    """An operator that drives the queue: from a timer in a window, else until it is empty.

    A queue that somebody else drives already only gets the new sessions.
    """

    _timer: Any = None

    def sessions(self, context: bpy.types.Context) -> list[Session]:
        """What to do, checked as far as it can be; raises SmirkError."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: Any) -> set[Any]:
        """In a window: start, and go on from a timer."""
        operator: Any = self
        busy = QUEUE.busy
        if run_reported(operator, lambda: self._add(context)) == {"CANCELLED"}:
            return {"CANCELLED"}
        if busy:  # nothing of ours to undo yet: the operator that drives ends the step
            operator.report({"INFO"}, words.QUEUE_ADDED.format(name=QUEUE.waiting[-1]))
            capture_status.publish(QUEUE, context.window_manager.smirk_job)
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(_TICK, window=context.window)
        context.window_manager.modal_handler_add(operator)
        drive(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: Any) -> set[Any]:
        """A tick, or ESC over a 3D view; everything else is the person's."""
        building = QUEUE.current is not None and QUEUE.current.building
        if event.type == "TIMER":
            ended = drive(context)
            if isinstance(ended, CaptureSession) and ended.undo_name:
                frame_first_head(context, ended.rigs)
            if not QUEUE.busy:
                return self._finish(context, ended)
            if ended is not None and ended.undo_name:
                bpy.ops.ed.undo_push(message=ended.undo_name)
        elif event.type == "ESC" and event.value == "PRESS" and _over_view(context, event):
            QUEUE.stop()
            drive(context)
            return {"RUNNING_MODAL"}
        elif building:
            return {"RUNNING_MODAL"}  # a head is half there for some tenths of a second: no other change in between
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender closes the window or opens another file."""
        self._leave(context)
        shut_down()

    def execute(self, context: bpy.types.Context) -> set[Any]:
        """Without a window, from a script: start, wait, done."""
        operator: Any = self
        return run_reported(operator, lambda: self._run(context))

    def _add(self, context: bpy.types.Context) -> None:
        for session in self.sessions(context):
            QUEUE.add(session)

    def _run(self, context: bpy.types.Context) -> None:
        if QUEUE.busy:
            raise SmirkError(words.POLL_BUSY)
        self._add(context)
        operator: Any = self
        try:
            while QUEUE.busy:
                drive(context, patient=False)
                time.sleep(_PAUSE)
        finally:
            QUEUE.shut_down()
        failures = [o.message for o in QUEUE.outcomes if o.state.name == "FAILED"]
        good = [o.message for o in QUEUE.outcomes if o.state.name == "DONE"]
        if failures and not good:
            raise SmirkError("; ".join(failures))
        for text in failures:
            operator.report({"WARNING"}, text)
        if not good:
            raise Cancelled(QUEUE.message())
        operator.report({"INFO"}, "; ".join(good))

    def _finish(self, context: bpy.types.Context, ended: Session | None) -> set[Any]:
        self._leave(context)
        operator: Any = self
        text = QUEUE.message().replace("\n", "; ")
        if text:
            operator.report({"ERROR" if QUEUE.failed else "INFO"}, text)
        # FINISHED is an undo step, which belongs to the last head; without one there is nothing to undo.
        return {"FINISHED"} if ended is not None and ended.undo_name else {"CANCELLED"}

    def _leave(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        job: Any = context.window_manager.smirk_job
        capture_status.publish(QUEUE, job)
        capture_status.set_status(None, job)
        capture_status.redraw()


def _over_view(context: bpy.types.Context, event: Any) -> bool:
    """Whether the mouse is over a 3D view of this window: elsewhere ESC means something else."""
    screen = context.screen
    if screen is None or screen.is_animation_playing:  # there ESC ends the playback
        return False
    return any(
        area.type == "VIEW_3D"
        and 0 <= event.mouse_x - area.x < area.width
        and 0 <= event.mouse_y - area.y < area.height
        for area in screen.areas
    )


def _has_media(cls: Any, context: bpy.types.Context) -> bool:
    settings: Any = getattr(context.scene, "smirk_capture", None)
    if settings is None or not media_paths(settings):
        cls.poll_message_set(words.POLL_MEDIA)
        return False
    return True


class SMIRK_OT_capture(_Driven, bpy.types.Operator):
    bl_idname = "smirk.capture"
    bl_label, bl_description = words.CAPTURE
    bl_options: ClassVar[set[str]] = {"UNDO"}  # not REGISTER: the redo panel would track the clip again

    if not TYPE_CHECKING:
        filepath: StringProperty(
            name=words.MEDIA, description=words.MEDIA_TIP, subtype="FILE_PATH", options={"SKIP_SAVE"}
        )

    def sessions(self, context: bpy.types.Context) -> list[Session]:
        operator: Any = self
        scene: Any = context.scene
        paths = [absolute(operator.filepath)] if operator.filepath else []
        return [CaptureSession(request) for request in requests_from(context, scene.smirk_capture, paths)]


class SMIRK_OT_find_faces(_Driven, bpy.types.Operator):
    bl_idname = "smirk.find_faces"
    bl_label, bl_description = words.FIND_FACES
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _has_media(cls, context)

    def sessions(self, context: bpy.types.Context) -> list[Session]:
        scene: Any = context.scene
        return [FaceSearch(scene.name, media_paths(scene.smirk_capture)[0], scene.smirk_capture, worker_python())]


class SMIRK_OT_capture_cancel(bpy.types.Operator):
    bl_idname = "smirk.capture_cancel"
    bl_label, bl_description = words.CANCEL
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not QUEUE.busy:
            cls.poll_message_set(words.POLL_IDLE)  # pyright: ignore[reportAttributeAccessIssue]
        return QUEUE.busy

    def execute(self, context: bpy.types.Context) -> set[Any]:
        QUEUE.stop()
        capture_status.publish(QUEUE, context.window_manager.smirk_job)
        capture_status.redraw()
        return {"FINISHED"}


class SMIRK_OT_capture_unqueue(bpy.types.Operator):
    bl_idname = "smirk.capture_unqueue"
    bl_label, bl_description = words.UNQUEUE
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not QUEUE.waiting:
            cls.poll_message_set(words.POLL_QUEUE)  # pyright: ignore[reportAttributeAccessIssue]
        return bool(QUEUE.waiting)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        self.report({"INFO"}, words.DROPPED_QUEUE.format(count=QUEUE.drop()))
        capture_status.publish(QUEUE, context.window_manager.smirk_job)
        capture_status.redraw()
        return {"FINISHED"}


class SMIRK_OT_copy_report(bpy.types.Operator):
    bl_idname = "smirk.copy_report"
    bl_label, bl_description = words.COPY_REPORT
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        context.window_manager.clipboard = report_text()
        self.report({"INFO"}, words.REPORT_COPIED)
        return {"FINISHED"}


class SMIRK_OT_dismiss_message(bpy.types.Operator):
    bl_idname = "smirk.dismiss_message"
    bl_label, bl_description = words.DISMISS
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        QUEUE.outcomes.clear()
        capture_status.publish(QUEUE, context.window_manager.smirk_job)
        return {"FINISHED"}


@persistent
def _before_load(*_ignored: Any) -> None:
    """Another file is opened: what runs belongs to the old one."""
    shut_down()
    media_info.forget()


@persistent
def _after_load(*_ignored: Any) -> None:
    """What the saved window manager says of a capture is of another time."""
    QUEUE.outcomes.clear()
    for manager in bpy.data.window_managers:
        job: Any = getattr(manager, "smirk_job", None)
        if job is not None:
            capture_status.publish(QUEUE, job)
    for workspace in bpy.data.workspaces:
        workspace.status_text_set(None)
    settings: Any = bpy.context.scene.smirk_capture
    media_info.look(settings.media, settings.sequence, worker_python())


CLASSES = (
    SMIRK_OT_capture,
    SMIRK_OT_find_faces,
    SMIRK_OT_capture_cancel,
    SMIRK_OT_capture_unqueue,
    SMIRK_OT_copy_report,
    SMIRK_OT_dismiss_message,
)


def register() -> None:
    """Watch for other files being opened."""
    capture_preview.start()
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """End everything."""
    shut_down()
    for handlers, own in ((bpy.app.handlers.load_pre, _before_load), (bpy.app.handlers.load_post, _after_load)):
        if own in handlers:
            handlers.remove(own)
    capture_preview.shut_down()
