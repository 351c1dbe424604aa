# SPDX-License-Identifier: Apache-2.0
"""The slim zip from a self-hosted repository: no wheels but the engine, tracking in the person's own Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installed import BLENDER

from release.bare_blender import Home, bare_blender
from release.blender_tool import find_tool
from release.extension import build_extension
from release.fetch import FetchError
from release.repository import write_repository

if not BLENDER:
    pytest.skip("the extension is built for other Pythons", allow_module_level=True)


@pytest.fixture(scope="module")
def found(detector, photo: Path, wheel_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("slim")
    tool = find_tool()
    try:
        archive = build_extension(BLENDER, None, folder / "zips", wheel_cache, tool)
    except FetchError as error:
        pytest.skip(f"neither a cache of wheels nor a network: {error}")
    listing = write_repository([archive], folder / "repository", tool)
    home = Home(folder / "person")
    for name, source in (("photo.png", photo), ("driver.py", Path(__file__).parent / "slim_driver.py")):
        shutil.copy(source, folder / name)
    environment = home.environment
    model = Path(__file__).parents[3] / "shared" / "media" / "face_landmarker.task"
    if model.is_file():
        environment["SMIRK_FACE_LANDMARKER"] = str(model)
    command = [
        str(bare_blender(folder / "blender")), "-I", "driver.py", str(listing), str(folder / "photo.png"),
        sys.executable, str(folder / "found.json"),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


def test_it_comes_from_a_repository_that_is_a_folder(found):
    assert found["sync"] == found["install"] == ["FINISHED"]


def test_without_wheels_it_says_what_is_missing(found):
    assert not found["scipy"] and not found["mediapipe"]
    assert "Tracking cannot work yet" in found["before"] and "scipy" in found["before"].lower()


def test_with_the_persons_python_it_tracks(found):
    assert found["after"] == "FINISHED" and found["report"]["problem"] == ""
    assert found["report"]["asked"] == found["report"]["executable"] == sys.executable
    assert found["photo"] == "FINISHED" and max(found["meshes"]) > 5000
