# SPDX-License-Identifier: Apache-2.0
"""Captures driven tick by tick, as the timer of the operator does it, with a real worker on real media."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from fingerprint import fingerprint
from media import long_sequence

import blender_smirk
from blender_smirk import capture_session, registration
from blender_smirk.capture_queue import QUEUE, CaptureQueue
from blender_smirk.capture_session import CaptureRequest, CaptureSession, State
from blender_smirk.take_store import takes
from blender_smirk.texts import capture as words

pytestmark = pytest.mark.usefixtures("detector")


@pytest.fixture(autouse=True)
def switched_on() -> Iterator[None]:
    """The add-on as a person has it, without anything left of the test before."""
    if not registration._registered:
        blender_smirk.register()
    yield
    QUEUE.shut_down()
    blender_smirk.unregister()


def run(queue: CaptureQueue, until: Callable[[], bool] | None = None, **options: Any) -> None:
    """Tick until the queue is empty or ``until`` says so."""
    while queue.busy and not (until is not None and until()):
        queue.tick(**options)
        time.sleep(0.005)


def capture(media: Path | str, **values: Any) -> CaptureSession:
    return CaptureSession(CaptureRequest(str(media), **values))


def reading(queue: CaptureQueue) -> Callable[[], bool]:
    """Whether the first frames of the current session have been read."""

    def check() -> bool:
        return queue.current is not None and queue.current.progress()[1] > 0.0

    return check


def test_a_clip_becomes_a_head(clip: Path) -> None:
    queue = CaptureQueue()
    queue.add(capture(clip, frame_start=10))
    run(queue)
    (outcome,) = queue.outcomes
    assert (outcome.state, outcome.message) == (State.DONE, "drift.mp4: 16 frames captured")
    head = bpy.data.objects["drift rig"]
    (action,) = takes()
    assert head.animation_data.action == action
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (10, 25)
    assert not list(Path(queue.report.split('"output": "')[1].split('"')[0]).parent.glob("*"))  # the folder has gone


def test_the_same_as_the_script_interface(photo: Path) -> None:
    """The panel's way through the worker gives what api.animate gives."""
    from blender_smirk import api

    queue = CaptureQueue()
    queue.add(capture(photo))
    run(queue)
    mesh = bpy.data.objects["astronaut"].data
    there = [v.co.copy() for v in mesh.vertices]
    other = api.animate(photo).mesh.data
    assert max((a - b.co).length for a, b in zip(there, other.vertices, strict=True)) < 1e-6


def test_onto_a_head_that_is_there(clip: Path, photo: Path) -> None:
    queue = CaptureQueue()
    queue.add(capture(photo))
    run(queue)
    objects = set(bpy.data.objects.keys())
    queue.add(capture(clip, onto="astronaut rig"))
    run(queue)
    assert queue.outcomes[-1].state is State.DONE
    assert set(bpy.data.objects.keys()) == objects and len(takes()) == 2
    assert bpy.data.objects["astronaut rig"].animation_data.action.name == "drift"


def test_three_captures_in_a_queue(photo: Path, clip: Path) -> None:
    """One after another, never two workers at once; one that fails does not keep the others."""
    queue = CaptureQueue()
    sessions = [capture(photo), capture(photo.with_name("gone.png")), capture(clip, footage=False)]
    for session in sessions:
        queue.add(session)
    assert queue.waiting == ["astronaut.png", "gone.png", "drift.mp4"]
    while queue.busy:
        queue.tick()
        assert sum(session.worker.running for session in sessions) <= 1
        time.sleep(0.005)
    assert [o.state for o in queue.outcomes] == [State.DONE, State.FAILED, State.DONE]
    assert "gone.png" in queue.outcomes[1].message
    assert {"astronaut rig", "drift rig"} <= set(bpy.data.objects.keys())


def test_worker_killed_from_outside(clip: Path) -> None:
    """kill -9: a message that says so, the scene as before, a report to copy, and the next capture works."""
    queue, before = CaptureQueue(), fingerprint()
    session = capture(clip)
    queue.add(session)
    run(queue, reading(queue))
    pid = session.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    run(queue)
    (outcome,) = queue.outcomes
    assert outcome.state is State.FAILED and "SIGKILL" in outcome.message and "as before" in outcome.message
    assert fingerprint() == before
    assert "SIGKILL" in queue.report and "drift.mp4" in queue.report
    queue.add(capture(clip))
    run(queue)
    assert queue.outcomes[-1].state is State.DONE


def test_stop_keeps_what_was_read(clip: Path, tmp_path: Path) -> None:
    folder = long_sequence(clip, tmp_path / "run")
    queue = CaptureQueue()
    queue.add(capture(folder))
    run(queue, reading(queue))
    queue.stop()
    assert queue.current is not None and queue.current.state is State.STOPPING
    run(queue)
    (outcome,) = queue.outcomes
    assert outcome.state is State.DONE and "stopped" in outcome.message
    (action,) = takes()
    from blender_smirk.take_store import take_of

    assert 0 < len(take_of(action)) < 400


def test_a_second_stop_keeps_nothing(clip: Path, tmp_path: Path) -> None:
    queue, before = CaptureQueue(), fingerprint()
    queue.add(capture(long_sequence(clip, tmp_path / "run")))
    queue.add(capture(clip))
    run(queue, reading(queue))
    queue.stop()
    queue.stop()
    run(queue)
    assert [o.message for o in queue.outcomes] == [
        "Taken out of the queue: 1", "run: capture stopped, nothing was kept",
    ]  # fmt: skip
    assert fingerprint() == before and not queue.busy


def test_a_person_in_another_mode_is_not_disturbed(photo: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    queue = CaptureQueue()
    queue.add(capture(photo))
    run(queue, lambda: queue.current is not None and queue.current.state is State.WAITING)
    for _ in range(5):
        queue.tick()
    assert bpy.context.mode == "EDIT_MESH" and "astronaut" not in bpy.data.objects
    assert queue.current is not None and queue.current.progress()[0] == words.WAITING
    bpy.ops.object.mode_set(mode="OBJECT")
    run(queue)
    assert "astronaut" in bpy.data.objects


def test_no_face_is_a_message(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "grey.png"
    Image.new("RGB", (200, 200), (90, 90, 90)).save(path)
    queue, before = CaptureQueue(), fingerprint()
    queue.add(capture(path))
    run(queue)
    assert queue.outcomes[0].state is State.FAILED and "No face was found" in queue.outcomes[0].message
    assert fingerprint() == before


def test_a_build_that_fails_leaves_no_trace(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something breaks after the head and its cameras are there: everything goes again."""
    from blender_smirk import api

    bpy.ops.mesh.primitive_cube_add()
    before = fingerprint()
    monkeypatch.setattr(api, "add_light", lambda *_: 1 / 0)
    queue = CaptureQueue()
    queue.add(capture(clip))
    run(queue)
    (outcome,) = queue.outcomes
    assert outcome.state is State.FAILED and "ZeroDivisionError" in outcome.message
    assert fingerprint() == before
    assert "Traceback" in queue.report


def test_module_is_free_of_references() -> None:
    """A request holds names and numbers only: nothing that dangles after an undo."""
    request = CaptureRequest("a.mp4", onto="rig")
    assert all(not isinstance(v, bpy.types.ID) for v in vars(request).values())
    assert capture_session.CaptureSession(request).job()["media"] == "a.mp4"
