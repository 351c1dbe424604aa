# SPDX-License-Identifier: Apache-2.0
"""The zip as a person gets it: built, installed for real in a Blender that has nothing else, used, and removed.

A process of its own with an empty user folder, a Python that sees bpy and its requirements only, and its working
directory elsewhere. On Linux all of it runs under strace, which finds any attempt to reach the network.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installed import BLENDER, PLATFORM, network_calls, traced

from release.bare_blender import Home, bare_blender
from release.blender_tool import find_tool
from release.extension import build_extension
from release.fetch import FetchError, fetch
from release.lock import locked
from release.targets import ROOT

TASK = ROOT.parent / "shared" / "media" / "face_landmarker.task"
if not (BLENDER and PLATFORM):
    pytest.skip("the extension is built for other Pythons and platforms", allow_module_level=True)


@pytest.fixture(scope="module")
def archive(wheel_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this Blender and platform; wheels from the cache, else from PyPI."""
    task = None
    if BLENDER == "5.2":
        if not TASK.is_file():
            pytest.skip("no face_landmarker.task here, which MediaPipe for Python 3.13 needs")
        task = TASK
    try:
        for wheel in locked(BLENDER, PLATFORM):
            fetch(wheel, wheel_cache)
    except FetchError as error:
        if "pip cannot fetch" not in str(error):
            raise
        pytest.skip(f"neither a cache of wheels nor a network: {error}")
    return build_extension(BLENDER, PLATFORM, tmp_path_factory.mktemp("zip"), wheel_cache, find_tool(), task)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("person"))


@pytest.fixture(scope="module")
def found(archive: Path, home: Home, photo: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the bare Blender saw."""
    folder = tmp_path_factory.mktemp("bare")
    python = bare_blender(folder / "blender")
    for name, source in (
        ("photo.png", photo),
        ("clip.mp4", clip),
        ("driver.py", Path(__file__).parent / "installed_driver.py"),
    ):
        shutil.copy(source, folder / name)
    command = [str(python), "-I", "driver.py", str(archive), str(folder / "photo.png"), str(folder / "clip.mp4")]
    result = subprocess.run(
        traced([*command, str(folder / "found.json")], folder / "trace.log"),
        cwd=folder, env=home.environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    seen = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    trace = folder / "trace.log"
    seen["trace"] = trace if trace.exists() else None
    return seen


def test_nothing_of_the_checkout_is_in_reach(found):
    assert not [p for p in found["path"] if Path(p).is_relative_to(ROOT) and ".venv" not in p]
    assert found["absent"] == []
    assert Path(found["python"]).parent.parent.name == "blender"


def test_it_installs_and_runs_from_the_persons_folder_alone(found, home):
    assert found["install"] == ["FINISHED"] and found["enabled"] and found["panels"]
    for name in ("core", "addon", "mediapipe", "av", "scipy", "PIL", "onnxruntime"):
        assert Path(found[name]).is_relative_to(home.resources), f"{name}: {found[name]}"


def test_the_engine_is_the_installed_one(found, home):
    report = found["engine_report"]
    assert found["engine"] == ["FINISHED"] and report["problem"] == ""
    assert "ONNX Runtime" in report["engine"] and report["executable"] == found["python"]
    assert str(home.resources) in report["text"] and str(ROOT) not in report["text"]


def test_a_photo_becomes_a_head(found):
    assert found["photo"] == ["FINISHED"]
    (head,) = found["photo_heads"]
    assert head["keys"] > 40


def test_a_clip_becomes_a_moving_head(found):
    assert found["clip"] == ["FINISHED"]
    (head,) = found["clip_heads"]
    assert head["frames"] >= 16 and head["moves"]


def test_off_on_and_away(found):
    assert found["disable"] == found["enable"] == found["uninstall"] == ["FINISHED"]
    assert found["disabled"] and found["enabled_again"] and found["gone"]


def test_nothing_is_left_behind(found, home):
    """What Blender itself keeps about extensions is not ours."""
    assert found["left"] in ([], ["extensions/.cache/compat.dat"])
    ours = [f for f in home.files() if not f.startswith("resources/")]
    assert ours == []


def test_no_connection_is_attempted(found):
    """From installing to removing, a photo and a clip in between: no socket that could leave the machine."""
    if found["trace"] is None:
        pytest.skip("strace is not here, or may not trace")
    assert "+++ exited with 0 +++" in found["trace"].read_text(errors="replace")  # the tracer was there to the end
    assert network_calls(found["trace"]) == []


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('play.googleapis.com', 443)",
        "import ctypes; c = ctypes.CDLL(None); c.connect(c.socket(2, 1, 0), bytes([2, 0, 0, 9, 127, 0, 0, 1]), 16)",
    ],
)
def test_the_trace_would_find_one(code, tmp_path):
    log = tmp_path / "trace.log"
    subprocess.run(
        traced(
            [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"], log
        ),
        capture_output=True,
    )
    if not log.exists():
        pytest.skip("strace is not here, or may not trace")
    assert network_calls(log)


_COLLECTORS = re.compile(
    rb"events\.data\.microsoft\.com|play\.googleapis\.com|google-analytics|app-measurement|sentry\.io"
    rb"|applicationinsights"
)


def test_no_wheel_knows_where_to_report_to(archive):
    """A short trace misses a library that reports once a minute; the addresses of the known collectors show it."""
    known = []
    with zipfile.ZipFile(archive) as outer:
        for name in (n for n in outer.namelist() if n.endswith(".whl")):
            with zipfile.ZipFile(io.BytesIO(outer.read(name))) as wheel:
                known += [(name, m) for m in wheel.namelist() if _COLLECTORS.search(wheel.read(m))]
    assert known == []
