# SPDX-License-Identifier: Apache-2.0
"""Capturing as a person does it: choose, press Capture, work on meanwhile, ESC, undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from scenarios import Steps, context, press, screenshot, sidebar, view


def settings() -> Any:
    """The capture settings of the scene."""
    return bpy.context.scene.smirk_capture


def job() -> Any:
    """How the capture stands."""
    return bpy.context.window_manager.smirk_job


def until(check: Callable[[], bool], seconds: float = 120.0) -> Steps:
    """Let Blender work until ``check`` holds."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"It took too long; the panel says: {job().message!r}, {job().stage!r}")
        yield 0.05


def worker() -> Any:
    """The worker of the capture that runs."""
    from blender_smirk.capture_queue import QUEUE

    session: Any = QUEUE.current
    return session.worker


def start() -> None:
    """What the Capture button does."""
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.capture("INVOKE_DEFAULT")


def open_media(media: str) -> Steps:
    """The sidebar with a chosen file, looked at."""
    from blender_smirk import media_info

    yield from sidebar()
    settings().media = media
    bpy.ops.ed.undo_push(message="Media")  # as the text field does
    yield from until(lambda: (facts := media_info.facts(media)) is not None and not facts.looking)
    yield 0.3


def faces(output: Path, media: str) -> Steps:
    """Faces are found and shown with pictures."""
    yield from open_media(media)
    with bpy.context.temp_override(**context()):
        bpy.ops.smirk.find_faces("INVOKE_DEFAULT")
    yield from until(lambda: not job().running)
    yield 0.5
    assert len(settings().found) and settings().faces == "PICKED"
    screenshot(output / "capture_faces.png")


def trouble(output: Path, media: str) -> Steps:
    """ESC keeps what was read, while the person works on and undoes; twice keeps nothing. Then worse happens."""
    yield from open_media(media)
    bpy.context.workspace.status_text_set(None)
    start()
    yield from until(lambda: job().fraction > 0.0)
    with bpy.context.temp_override(**context()):
        bpy.ops.mesh.primitive_cube_add("INVOKE_DEFAULT", True, location=(2, 0, 0))
    yield 0.3
    yield from press("Z", ctrl=True)
    assert job().running
    yield from press("ESC")
    assert job().stopping or not job().running
    screenshot(output / "capture_stopping.png")
    yield from until(lambda: not job().running)
    yield 0.3
    screenshot(output / "capture_stopped.png")
    assert "stopped" in job().message, job().message
    objects = set(bpy.data.objects.keys())
    start()
    yield from until(lambda: job().fraction > 0.0)
    yield from press("ESC")
    yield from press("ESC")
    yield from until(lambda: not job().running)
    assert set(bpy.data.objects.keys()) == objects and "nothing was kept" in job().message, job().message

    yield from failure(output)
    yield from reload(output)


def failure(output: Path) -> Steps:
    """The worker dies: a message with a button, the report in the clipboard."""
    import os
    import signal

    objects = set(bpy.data.objects.keys())
    start()
    yield from until(lambda: job().fraction > 0.0)
    os.kill(worker().pid, signal.SIGKILL)
    yield from until(lambda: not job().running)
    yield 0.5
    screenshot(output / "capture_failed.png")
    assert job().failed and set(bpy.data.objects.keys()) == objects
    bpy.ops.smirk.copy_report()
    assert "SIGKILL" in bpy.context.window_manager.clipboard


def reload(output: Path) -> Steps:
    """Save and open the file while a capture runs: it ends, the file is as it was saved."""
    from blender_smirk.capture_queue import QUEUE

    start()
    yield from until(lambda: job().fraction > 0.0)
    process = worker()
    path = str(output / "reload.blend")
    bpy.ops.wm.save_mainfile(filepath=path)
    names = set(bpy.data.objects.keys())
    yield 0.3
    with bpy.context.temp_override(window=view()[0]):
        bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    assert not QUEUE.busy and not process.running and not job().running
    assert set(bpy.data.objects.keys()) == names
    screenshot(output / "capture_reloaded.png")


def leave(output: Path, media: str) -> Steps:
    """Blender quits while a capture runs."""
    yield from open_media(media)
    start()
    yield from until(lambda: job().fraction > 0.0)
    (output / "worker.pid").write_text(str(worker().pid))
    bpy.ops.wm.quit_blender()
    yield 10.0
    raise AssertionError("Blender did not quit")
