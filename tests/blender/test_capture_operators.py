# SPDX-License-Identifier: Apache-2.0
"""The buttons of the capture panel, as a window presses them and as a script calls them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from fingerprint import fingerprint
from media import long_sequence

import blender_smirk
from blender_smirk import api, capture_preview, registration
from blender_smirk.capture_queue import QUEUE
from blender_smirk.capture_session import CaptureRequest, CaptureSession
from blender_smirk.operators.capture import SMIRK_OT_capture
from blender_smirk.take_store import take_of, takes

pytestmark = pytest.mark.usefixtures("detector")


@pytest.fixture(autouse=True)
def switched_on() -> Iterator[None]:
    if not registration._registered:
        blender_smirk.register()
    yield
    QUEUE.shut_down()
    if registration._registered:
        blender_smirk.unregister()


def push(name: str) -> None:
    bpy.ops.ed.undo_push(message=name)


class Pressed(SMIRK_OT_capture.__mro__[1]):  # type: ignore[misc]
    """The operator as a window runs it, without a window: its timer and its reports are ours."""

    def __init__(self, *media: Path) -> None:
        self._media, self.reports = media, []

    def sessions(self, context: bpy.types.Context) -> list[Any]:
        return [CaptureSession(CaptureRequest(str(media))) for media in self._media]

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append((*kind, text))

    def run(self) -> set[str]:
        """Timer events until the operator ends."""
        self._add(bpy.context)
        while (result := self.modal(bpy.context, SimpleNamespace(type="TIMER"))) == {"PASS_THROUGH"}:
            time.sleep(0.005)
        return result


def test_each_head_of_a_queue_is_one_undo_step(photo: Path, clip: Path) -> None:
    """Three presses of Capture: three steps back, one head each; the last step is the operator's own."""
    push("start")
    before = fingerprint()
    button = Pressed(photo, clip, photo)
    assert button.run() == {"FINISHED"}
    push("the step that Blender makes when an operator ends")
    assert len(bpy.data.armatures) == 3
    for left in (2, 1, 0):
        bpy.ops.ed.undo()
        assert len(bpy.data.armatures) == left
    assert fingerprint() == before
    assert button.reports[0][0] == "INFO" and button.reports[0][1].count("captured") == 3


def test_a_failure_is_an_error_report_and_no_undo_step(tmp_path: Path) -> None:
    button = Pressed(tmp_path / "gone.mp4")
    assert button.run() == {"CANCELLED"}
    ((kind, text),) = button.reports
    assert kind == "ERROR" and "gone.mp4" in text
    job = bpy.context.window_manager.smirk_job
    assert job.failed and not job.running and job.message == text


def test_the_window_goes(clip: Path, tmp_path: Path) -> None:
    """Blender calls cancel() where the window closes or another file comes."""
    button = Pressed(long_sequence(clip, tmp_path / "run", 300))
    button._add(bpy.context)
    button.modal(bpy.context, SimpleNamespace(type="TIMER"))
    session: Any = QUEUE.current
    button.cancel(bpy.context)
    assert not QUEUE.busy and not session.worker.running


def test_by_script(photo: Path) -> None:
    """The operator waits where there is no window; what goes wrong is an exception with the same words."""
    assert bpy.ops.smirk.capture(filepath=str(photo)) == {"FINISHED"}
    assert "astronaut rig" in bpy.data.objects and bpy.context.object.name == "astronaut rig"
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.smirk.capture(filepath=str(photo.with_name("gone.png")))
    with pytest.raises(RuntimeError, match="Choose a photo or video first"):
        bpy.ops.smirk.capture()
    bpy.context.scene.smirk_capture.target = "SELECTED"
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="Select a head"):
        bpy.ops.smirk.capture(filepath=str(photo))


def test_files_dropped_and_picked(photo: Path, clip: Path) -> None:
    names = [{"name": clip.name}, {"name": photo.name}]
    assert bpy.ops.smirk.pick_media(directory=str(photo.parent), files=names) == {"FINISHED"}
    settings = bpy.context.scene.smirk_capture
    assert [settings.media, *(m.path for m in settings.more)] == [str(photo), str(clip)]
    bpy.ops.smirk.clear_media()
    assert not settings.media and not len(settings.more)
    assert bpy.ops.smirk.drop_media(directory=str(photo.parent), files=names) == {"FINISHED"}
    assert {"astronaut rig", "drift rig"} <= set(bpy.data.objects.keys())


def test_faces_are_found_and_only_the_picked_one_is_captured(photo: Path, tmp_path: Path) -> None:
    from PIL import Image

    face = Image.open(photo).convert("RGB").crop((100, 0, 400, 300))
    pair = Image.new("RGB", (640, 320), (80, 80, 80))
    pair.paste(face, (10, 10))
    pair.paste(face.resize((220, 220)), (380, 60))
    pair.save(tmp_path / "pair.png")
    settings = bpy.context.scene.smirk_capture
    settings.media = str(tmp_path / "pair.png")
    assert bpy.ops.smirk.find_faces() == {"FINISHED"}
    assert [(f.number, f.picked, f.seen) for f in settings.found] == [(0, True, 1.0), (1, False, 1.0)]
    assert settings.faces == "PICKED" and {"face 0", "face 1"} <= set(capture_preview._shown)
    for found in settings.found:
        found.picked = not found.picked
    bpy.ops.smirk.capture()
    (action,) = takes()
    assert take_of(action).raw["camera"][0, 1] > 320
    settings.media = str(photo)  # another file: its faces are others
    assert settings.faces == "LARGEST" and not len(settings.found)


def test_settings_become_a_job(photo: Path) -> None:
    """Every setting of the panel reaches the worker's job, in its words; checked by the worker's own reader."""
    from blender_smirk.capture_settings import requests_from
    from smirk_core.commands.options import TrackOptions

    settings = bpy.context.scene.smirk_capture
    settings.media, settings.faces, settings.face_count, settings.solve = str(photo), "COUNT", 3, False
    settings.use_range, settings.start, settings.end, settings.step = True, 4, 20, 2
    settings.head, settings.head_file = "FILE", "//my/head.pkl"
    settings.frame_start, settings.raw, settings.lens, settings.footage = 7, True, 85.0, False
    settings.more.add().path = "other.mp4"
    first, second = requests_from(bpy.context, settings)
    job = first.job()
    assert (job.pop("media"), job.pop("preview")) == (str(photo), True)
    options = TrackOptions.from_job(job)
    assert (options.faces, options.start, options.end, options.step, options.solve) == (3, 4, 20, 2, False)
    assert options.head.endswith("head.pkl") and Path(options.head).is_absolute()
    assert (first.frame_start, first.raw, first.lens, first.footage) == (7, True, 85.0, False)
    assert Path(second.media).is_absolute() and second.media.endswith("other.mp4")
    settings.head, settings.end = "FLAME", 0
    assert requests_from(bpy.context, settings)[0].head == "flame"
    assert requests_from(bpy.context, settings)[0].tracking["end"] is None


def test_report(tmp_path: Path) -> None:
    """What Copy Report copies says what ran, where, and how it ended."""
    from blender_smirk.capture_report import report_text

    with pytest.raises(RuntimeError):
        bpy.ops.smirk.capture(filepath=str(tmp_path / "gone.mp4"))
    text = report_text()
    for part in (bpy.app.version_string, "gone.mp4", "exit code", "There is no file"):
        assert part in text
    assert bpy.ops.smirk.copy_report() == {"FINISHED"}


def test_the_script_interface_is_told_the_same(clip: Path) -> None:
    """A building that is interrupted says so to whoever takes the steps."""
    from smirk_core import track

    steps = api.add_take_steps(track(clip, end=4))
    next(steps)
    bpy.data.objects.remove(bpy.data.objects["drift rig"])
    with pytest.raises(api.RemovedWhileBuilding, match="removed while"):
        for _ in steps:
            pass
