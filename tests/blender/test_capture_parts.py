# SPDX-License-Identifier: Apache-2.0
"""The small parts of a capture: time left, pictures as icons, what a list of files means, how a file is described."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_smirk import capture_preview, media_info
from blender_smirk.capture_status import duration_text
from blender_smirk.media_files import chosen_media
from blender_smirk.panels.capture import facts_text
from blender_smirk.time_left import TimeLeft


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_at_a_steady_pace() -> None:
    """Ten frames a second of a hundred: after four seconds six are left, and the solve that comes after."""
    clock = Clock()
    left = TimeLeft(clock)
    assert left.estimate() == ("", 0.0, None)
    left.update("Reading faces", 0, 100)
    for done in range(1, 41):
        clock.now += 0.1
        left.update("Reading faces", done, 100)
    stage, share, seconds = left.estimate()
    assert stage == "Reading faces" and share == pytest.approx(0.65 * 0.4)
    assert seconds is not None and seconds == pytest.approx(6.0 + 10.0 * 0.35 / 0.65)
    clock.now += 1.0  # nothing is heard: the estimate runs down all the same
    later = left.estimate()[2]
    assert later is not None and later == pytest.approx(seconds - 1.0)


def test_time_left_is_unknown_at_first_and_without_a_total() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.update("Reading faces", 0, 100)
    clock.now += 0.5
    left.update("Reading faces", 5, 100)
    assert left.estimate()[2] is None
    clock.now += 5
    left.update("Reading faces", 50, None)
    assert left.estimate()[2] is None


@given(st.lists(st.tuples(st.sampled_from(["Reading faces", "Solving", "Other"]), st.integers(0, 50), st.floats(0, 9))))
def test_the_bar_never_runs_backwards(steps: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    left, last = TimeLeft(clock), 0.0
    for stage, done, wait in steps:
        clock.now += wait
        left.update(stage, done, 50)
        _, share, seconds = left.estimate()
        assert last <= share <= 1.0 and (seconds is None or seconds >= 0.0)
        last = share


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.2, "1 s left"), (59.4, "59 s left"), (59.6, "1:00 min left"), (605, "10:05 min left")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.fixture
def icons() -> Iterator[None]:
    capture_preview.start()
    yield
    capture_preview.shut_down()


def test_pictures_become_icons(icons: None, tmp_path: Path) -> None:
    """Upright in Blender's order, colours as they are; the same name with new contents is another picture."""
    picture = np.zeros((6, 10, 3), np.uint8)
    picture[0] = (255, 0, 51)  # the top row
    path = str(tmp_path / "a.npy")
    np.save(path, picture)
    assert capture_preview.show("live", path, 1) and not capture_preview.show("live", path, 1)
    preview = capture_preview._icons["live"]
    pixels = np.array(preview.image_pixels_float[:], np.float32).reshape(6, 10, 4)
    assert tuple(preview.image_size) == (10, 6)
    np.testing.assert_allclose(pixels[-1], np.tile([1, 0, 0.2, 1], (10, 1)), atol=2 / 255)
    assert (pixels[:-1, :, :3] == 0).all()
    np.save(path, picture + np.uint8(100))
    assert capture_preview.show("live", path, 2)
    capture_preview.clear("live")
    assert capture_preview.icon("live") == 0 and "live" not in capture_preview._icons


@pytest.mark.parametrize(
    "content",
    [b"", b"no array", np.zeros(3, np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_a_bad_picture_is_no_picture(icons: None, tmp_path: Path, content: bytes | np.ndarray) -> None:
    path = tmp_path / "bad.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    assert not capture_preview.show("live", str(path)) and not capture_preview.show("live", str(tmp_path / "gone.npy"))


def test_a_large_picture_is_thinned(icons: None, tmp_path: Path) -> None:
    np.save(tmp_path / "big.npy", np.zeros((3000, 1000, 3), np.uint8))
    assert capture_preview.show("live", str(tmp_path / "big.npy"))
    assert max(capture_preview._icons["live"].image_size) <= capture_preview.LARGEST


def test_what_a_file_browser_means() -> None:
    assert chosen_media("/a", ["c.mp4", "b.mp4", ""], "/a/c.mp4") == [str(Path("/a/b.mp4")), str(Path("/a/c.mp4"))]
    assert chosen_media("/a", [""], "/a/c.mp4") == ["/a/c.mp4"]
    assert chosen_media("", ["c.mp4"], "") == []


def test_a_file_is_described(detector: None, clip: Path, photo: Path) -> None:
    """By the worker: what the panel's line says of real files, and what it says of one that is not there."""

    def ask(path: Path) -> media_info.MediaFacts:
        media_info.begin(str(path))
        while media_info.tick():
            time.sleep(0.01)
        facts = media_info.facts(str(path))
        assert facts is not None and not facts.looking
        return facts

    assert facts_text(ask(clip)) == "Video, 320 × 320, 25 fps, 16 frames, 0:00.6"
    assert facts_text(ask(photo)) == "Photo, 512 × 512"
    assert "There is no file" in ask(photo.with_name("gone.mp4")).problem
    assert media_info.facts(str(photo)) is None  # known of the last one only
    media_info.forget()
