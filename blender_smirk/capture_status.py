# SPDX-License-Identifier: GPL-3.0-or-later
"""The running capture as people see it: the panel's progress, the status bar, the picture of the moment."""

from __future__ import annotations

from typing import Any

import bpy

from . import capture_preview
from .capture_queue import CaptureQueue
from .capture_session import State
from .texts import capture as words

__all__ = ["LIVE", "duration_text", "publish", "redraw", "set_status"]

LIVE = "live"  # name of the picture of the moment


def duration_text(seconds: float | None) -> str:
    """Seconds left, for a person; "" while unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return words.LEFT_SECONDS.format(seconds=max(1, whole))
    return words.LEFT_MINUTES.format(minutes=whole // 60, seconds=whole % 60)


def publish(queue: CaptureQueue, job: Any) -> bool:
    """Write how the queue stands into ``WindowManager.smirk_job``; returns whether anything changed."""
    session = queue.current
    values: dict[str, Any] = {
        "running": queue.busy,
        "stopping": session is not None and session.state is State.STOPPING,
        "name": session.name if session is not None else "",
        "stage": "",
        "fraction": 0.0,
        "left": "",
        "waiting": len(queue.waiting),
        "message": queue.message(),
        "failed": queue.failed,
    }
    changed = False
    if session is not None:
        stage, fraction, left = session.progress()
        values.update(stage=stage, fraction=round(fraction, 3), left=duration_text(left))
        changed = capture_preview.show(LIVE, session.preview, session.previews)
    else:
        capture_preview.clear(LIVE)
    for name, value in values.items():
        old = getattr(job, name)
        if old != value and not (name == "fraction" and abs(old - value) < 1e-6):  # it is stored as a float32
            setattr(job, name, value)
            changed = True
    return changed


def redraw() -> None:
    """Draw the sidebars of all 3D views again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def set_status(workspace: bpy.types.WorkSpace | None, job: Any) -> None:
    """Tell in the status bar what runs and which key stops it; takes it away everywhere where nothing runs."""
    if not job.running or workspace is None:
        for each in bpy.data.workspaces:  # the person may have gone to another one meanwhile
            each.status_text_set(None)
        return
    keys = words.STATUS_KEYS_AGAIN if job.stopping else words.STATUS_KEYS
    text = ", ".join(filter(None, [f"{job.stage} {job.fraction:.0%}", job.left]))
    workspace.status_text_set(f"{words.STATUS.format(name=job.name, text=text)}    |    {keys}")
