# SPDX-License-Identifier: Apache-2.0
"""Whatever happens during a capture: no crash, a clear message, the scene as before, and no process left behind."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from fingerprint import fingerprint
from media import long_sequence

import blender_smirk
from blender_smirk import registration
from blender_smirk.capture_queue import QUEUE
from blender_smirk.capture_session import CaptureRequest, CaptureSession, State
from blender_smirk.operators.capture import drive
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


@pytest.fixture(scope="module")
def run_of_pictures(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take some seconds to read."""
    return long_sequence(clip, tmp_path_factory.mktemp("media") / "run", 300)


def begin(media: Path | str, **values: Any) -> CaptureSession:
    session = CaptureSession(CaptureRequest(str(media), **values))
    QUEUE.add(session)
    return session


def go_on(until: Callable[[], bool] | None = None) -> None:
    """Tick as the operator's timer does, until the queue is empty or ``until`` holds."""
    while QUEUE.busy and not (until is not None and until()):
        drive(bpy.context)
        time.sleep(0.005)


def reading() -> bool:
    return QUEUE.current is not None and QUEUE.current.progress()[1] > 0.0


def building() -> bool:
    return QUEUE.current is not None and QUEUE.current.building


def push(name: str) -> None:
    bpy.ops.ed.undo_push(message=name)


def test_undo_while_a_clip_is_read(clip: Path) -> None:
    """What the person undoes is theirs; the capture goes on and its head comes, itself one step."""
    push("start")
    bpy.ops.mesh.primitive_cube_add()
    push("cube")
    session = begin(clip)
    go_on(reading)
    bpy.ops.ed.undo()
    assert "Cube" not in bpy.data.objects
    before = fingerprint()
    go_on()
    assert session.state is State.DONE and "drift rig" in bpy.data.objects
    push(session.undo_name)
    bpy.ops.ed.undo()
    assert fingerprint() == before


def test_undo_takes_the_head_away_that_was_meant(clip: Path, photo: Path) -> None:
    push("start")
    begin(photo)
    go_on()
    push("photo")
    session = begin(clip, onto="astronaut rig")
    go_on(reading)
    bpy.ops.ed.undo()
    go_on()
    assert session.state is State.DONE and "gone" in session.message
    assert "drift rig" in bpy.data.objects and "astronaut rig" not in bpy.data.objects


def test_undo_between_two_steps_of_the_building(clip: Path) -> None:
    """Half a head vanishes under the building: it begins again and comes out whole."""
    push("start")
    session = begin(clip)
    go_on(building)
    drive(bpy.context)
    assert "drift rig" in bpy.data.objects
    push("something of an add-on's timer")
    bpy.ops.ed.undo()
    assert "drift rig" not in bpy.data.objects
    go_on()
    assert session.state is State.DONE
    assert sorted(o.name for o in bpy.data.objects if o.name.startswith("drift")) == [
        "drift", "drift orthographic", "drift perspective", "drift rig",
    ]  # fmt: skip
    assert len(takes()) == 1


def test_the_head_is_deleted_under_the_building(clip: Path) -> None:
    before = fingerprint()
    session = begin(clip)
    for _ in range(2):
        go_on(building)
        drive(bpy.context)
        bpy.data.objects.remove(bpy.data.objects["drift rig"])
        drive(bpy.context)
    go_on()
    assert session.state is State.FAILED and "as before" in session.message
    assert fingerprint() == before


def test_save_and_open_during_a_capture(run_of_pictures: Path, tmp_path: Path) -> None:
    """Opening a file ends the capture; the saved file knows nothing of it."""
    bpy.ops.mesh.primitive_cube_add()
    session = begin(run_of_pictures)
    go_on(reading)
    path, before = str(tmp_path / "scene.blend"), fingerprint()
    bpy.ops.wm.save_as_mainfile(filepath=path)
    drive(bpy.context)
    assert session.state is State.TRACKING and bpy.context.window_manager.smirk_job.running
    bpy.ops.wm.open_mainfile(filepath=path)
    assert not QUEUE.busy and not session.worker.running and session.state is State.STOPPED
    assert fingerprint() == before
    assert not any(manager.smirk_job.running for manager in bpy.data.window_managers)
    drive(bpy.context)  # a timer that comes late finds nothing to do
    assert fingerprint() == before


def test_the_addon_is_switched_off_during_a_capture(run_of_pictures: Path) -> None:
    before = fingerprint()
    session = begin(run_of_pictures)
    go_on(reading)
    blender_smirk.unregister()
    assert not session.worker.running and not QUEUE.busy and fingerprint() == before


def test_no_room_for_the_take(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker may write files of a few hundred bytes only: the system refuses its take as a full disk does."""
    before = fingerprint()
    session = CaptureSession(CaptureRequest(str(photo)))
    QUEUE.add(session)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))
    try:
        drive(bpy.context)  # starts the worker, which inherits the limit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    go_on()
    assert session.state is State.FAILED and "Cannot write" in session.message, session.message
    assert fingerprint() == before and not Path(session.worker.folder or "/nowhere").exists()


@pytest.mark.parametrize("free", [0, 4096])
def test_full_disk(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """A file system that really is full, to the last byte or nearly so."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=65536", "none", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems can be mounted by root only")
    try:
        (disk / "filler").write_bytes(bytes(65536 - free))
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        before = fingerprint()
        session = begin(photo)
        go_on()
        assert session.state is State.FAILED, session.message
        assert "No space left" in session.message, session.message
        assert fingerprint() == before and [p.name for p in disk.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_video_deleted_while_it_is_read(clip: Path, tmp_path: Path) -> None:
    """The capture lives; the head comes without footage, and the message says so."""
    media = Path(shutil.copy(clip, tmp_path / "short.mp4"))
    session = begin(media)
    go_on(reading)
    media.unlink()
    go_on()
    assert session.state is State.DONE and "no longer there" in session.message
    assert "short rig" in bpy.data.objects and not len(bpy.data.movieclips)


def test_pictures_deleted_while_they_are_read(clip: Path, tmp_path: Path) -> None:
    folder = long_sequence(clip, tmp_path / "run", 200)
    session, before = begin(folder), fingerprint()
    go_on(reading)
    shutil.rmtree(folder)
    go_on()
    if session.state is State.FAILED:
        assert "shot_" in session.message and fingerprint() == before
    else:  # what was read before is kept, and it is said
        assert session.state is State.DONE and 0 < len(take_of(takes()[0])) < 200
        assert "no longer there" in session.message
