# SPDX-License-Identifier: Apache-2.0
"""Capturing in a real window with real events; see :mod:`capture_scenarios`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "smirk_core" / "assets" / "demo"


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A numbered run of pictures that takes many seconds to read: one large picture under many names."""
    import av

    folder = tmp_path_factory.mktemp("media") / "long"
    folder.mkdir()
    first = folder / "shot_0000.png"
    with av.open(str(DEMO / "demo.mp4")) as container:
        next(container.decode(video=0)).to_image().resize((1600, 1600)).save(first)
    for number in range(1, 1000):
        (folder / f"shot_{number:04d}.png").hardlink_to(first)
    return folder


def test_faces_are_found_and_shown(detector, window, photo):
    window("capture_scenarios:faces", media=photo)


def test_escape_undo_a_killed_worker_save_and_open(detector, window, long_run):
    window("capture_scenarios:trouble", media=long_run)


def test_quitting_ends_the_worker(detector, window, long_run, pictures):
    window("capture_scenarios:leave", media=long_run)
    pid = int((pictures / "worker.pid").read_text())
    end = time.monotonic() + 30
    while time.monotonic() < end and _alive(pid):
        time.sleep(0.1)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")
