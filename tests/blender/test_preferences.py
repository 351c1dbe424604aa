# SPDX-License-Identifier: Apache-2.0
"""Preferences and setup: with and without an add-on, engines asked in a real process, the face model on every way."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path

import bpy
import pytest

from blender_smirk import engine_test, face_model, preferences
from blender_smirk.operators import setup
from blender_smirk.texts import preferences as words
from smirk_core import user_assets
from smirk_core.errors import AssetError, Cancelled, ExportError, SmirkError

SHARED_MODEL = Path(__file__).parents[3] / "shared" / "media" / "face_landmarker.task"
needs_model = pytest.mark.skipif(not SHARED_MODEL.is_file(), reason="no face_landmarker.task here")


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SMIRK_FACE_LANDMARKER", raising=False)
    yield
    engine_test.stop()
    face_model.stop_download()


@pytest.fixture(scope="module", autouse=True)
def registered():
    classes = [*preferences.CLASSES, *setup.CLASSES]
    fresh = [c for c in classes if not getattr(c, "is_registered", False)]
    for cls in fresh:
        bpy.utils.register_class(cls)
    yield
    for cls in reversed(fresh):
        bpy.utils.unregister_class(cls)


def wait_for(what, seconds: float = 60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := what()) not in (None, False):
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


# Preferences ----------------------------------------------------------------------------------------------------------


def test_without_an_add_on_there_are_defaults():
    own = preferences.get()
    assert own == preferences.Defaults() and own.python == ""


def test_the_defaults_have_every_name_of_the_preferences():
    names = {n for n in preferences.SMIRK_AP_preferences.__annotations__ if n != "bl_idname"}
    assert names == set(preferences.Defaults.__dataclass_fields__)


def test_the_preferences_belong_to_the_package_whatever_it_is_called():
    assert preferences.SMIRK_AP_preferences.bl_idname == "blender_smirk"  # bl_ext.REPOSITORY.smirk once installed


# The engine -----------------------------------------------------------------------------------------------------------


def test_asking_a_real_process():
    engine_test.begin()
    assert engine_test.running()
    report = wait_for(engine_test.tick)
    assert not engine_test.running()
    assert report.python == ".".join(map(str, sys.version_info[:3])) and report.executable
    assert report.problem == "" or "face" in report.problem
    assert "NumPy" in report.text and report.engine


def test_the_operator_in_the_background():
    if preferences_say_missing():
        with pytest.raises(RuntimeError, match="face"):
            bpy.ops.smirk.test_engine()
    else:
        assert bpy.ops.smirk.test_engine() == {"FINISHED"}
    assert not engine_test.running()


def preferences_say_missing() -> bool:
    return sys.version_info >= (3, 13) and not face_model.state().usable and not SHARED_MODEL.is_file()


def test_a_python_without_packages_says_what_is_missing(tmp_path, monkeypatch):
    """A bare virtual environment: the report names the first package that is not there."""
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=sys.platform != "win32")
    python = next(p for p in (tmp_path / "bare").glob("*/python*") if p.stem == "python")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    engine_test.begin(str(python))
    report = engine_test.wait()
    assert "numpy" in report.problem and report.asked == str(python)
    assert engine_test.remembered(report.stored(), str(python)) == report
    assert engine_test.remembered(report.stored(), "") is None


def test_a_python_that_is_not_there():
    with pytest.raises(SmirkError, match="There is no Python at"):
        engine_test.begin("/nowhere/python")
    assert not engine_test.running() and engine_test.tick() is None
    with pytest.raises(SmirkError):
        engine_test.wait()


@pytest.mark.parametrize(
    "stored", ["", "no json", "[]", "{}", '{"asked": 3}', '{"asked": "", "colour": "red"}', "null"]
)
def test_damaged_memories_are_forgotten(stored):
    assert engine_test.remembered(stored, "") is None


# The face model -------------------------------------------------------------------------------------------------------


def test_missing_and_wrong_files(tmp_path):
    assert face_model.state().kind == "missing" and not face_model.state().usable
    with pytest.raises(AssetError, match="Cannot read"):
        face_model.install(tmp_path / "nowhere.task")
    short, forged = tmp_path / "short.task", tmp_path / "forged.task"
    short.write_bytes(b"x")
    forged.write_bytes(bytes(face_model.SIZE))
    with pytest.raises(AssetError, match="3758596 bytes"):
        face_model.install(short)
    with pytest.raises(AssetError, match="SHA-256"):
        face_model.install(forged)
    assert face_model.state().kind == "missing" and not (tmp_path / "data").exists()
    place = user_assets.place("face_landmarker")
    place.mkdir(parents=True)
    (place / "face_landmarker.task").write_bytes(forged.read_bytes())
    assert face_model.state().kind == "wrong"


@needs_model
def test_picking_a_file():
    assert bpy.ops.smirk.pick_face_model(filepath=str(SHARED_MODEL)) == {"FINISHED"}
    state = face_model.state()
    assert state.kind == "here" and Path(state.path).read_bytes() == SHARED_MODEL.read_bytes()
    from smirk_core.tracking.face_graphs import find_face_landmarker

    assert find_face_landmarker() == Path(state.path)  # the tracking process finds it there


def test_picking_what_is_none(tmp_path):
    (tmp_path / "a.task").write_bytes(b"x")
    with pytest.raises(RuntimeError, match="is not MediaPipe's face model"):
        bpy.ops.smirk.pick_face_model(filepath=str(tmp_path / "a.task"))


def test_nothing_goes_online_unless_blender_may():
    assert not bpy.app.online_access  # the default of the module
    assert not bpy.ops.smirk.download_face_model.poll()
    with pytest.raises(RuntimeError, match="online access"):
        bpy.ops.smirk.download_face_model()
    assert face_model.progress() is None and words.OFFLINE


@pytest.fixture
def server():
    """A web server on this machine that gives what ``server.body`` holds, slowly where ``server.gate`` is closed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.server.body
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for i in range(0, len(body), 1 << 18):
                    self.wfile.write(body[i : i + (1 << 18)])
                    self.server.gate.wait(10)
            except OSError:
                pass  # the other side has gone

        def log_message(self, *_: object) -> None:
            """Quiet."""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.body, made.gate = b"", threading.Event()
    made.gate.set()
    made.url = f"http://127.0.0.1:{made.server_port}/face_landmarker.task"
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.gate.set()
    made.shutdown()
    made.server_close()


@needs_model
def test_downloading(server):
    server.body = SHARED_MODEL.read_bytes()
    shares: list[float] = []
    path = face_model.download(server.url, shares.append)
    assert path.read_bytes() == server.body and shares == sorted(shares) and shares[-1] == 1.0
    assert [p.name for p in path.parent.iterdir()] == ["face_landmarker.task"]


@needs_model
def test_downloading_in_the_background_and_stopping(server):
    server.body = SHARED_MODEL.read_bytes()
    server.gate.clear()
    face_model.begin_download(server.url)
    wait_for(lambda: (face_model.progress() or 0) > 0)
    assert not face_model.finished() and face_model.progress() < 1
    face_model.stop_download()
    server.gate.set()
    with pytest.raises(Cancelled):
        wait_for(face_model.finished)
    assert face_model.progress() is None and face_model.state().kind == "missing"
    face_model.begin_download(server.url)
    assert wait_for(face_model.finished) and face_model.state().kind == "here"
    assert not face_model.finished()


@pytest.mark.parametrize("body", [b"", b"<html>blocked by a portal</html>", bytes(5_000_000)])
def test_downloading_something_else(server, body):
    server.body = body
    with pytest.raises(AssetError):
        face_model.download(server.url)
    assert face_model.state().kind == "missing" and not list(Path(user_assets.data_folder()).rglob("*.task"))


def test_no_connection():
    with pytest.raises(AssetError, match="cannot be downloaded"):
        face_model.download("http://127.0.0.1:9/face_landmarker.task")


@needs_model
def test_a_data_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "file"))
    with pytest.raises(ExportError, match="Cannot write"):
        face_model.install(SHARED_MODEL)


# The person's own files -----------------------------------------------------------------------------------------------


def test_own_files(tmp_path):
    assert bpy.ops.smirk.open_data_folder() == {"FINISHED"} and user_assets.data_folder().is_dir()
    (tmp_path / "downloads").mkdir()
    with pytest.raises(RuntimeError, match="Nothing that is of use"):
        bpy.ops.smirk.import_assets(directory=str(tmp_path / "downloads"))
    if SHARED_MODEL.is_file():
        assert bpy.ops.smirk.import_assets(filepath=str(SHARED_MODEL)) == {"FINISHED"}
        assert face_model.state().kind == "here"


def test_reports_are_plain_json():
    assert json.loads(engine_test.EngineReport("a", "b").stored())["engine"] == "b"
