# SPDX-License-Identifier: Apache-2.0
"""Previews of a tiny take over footage that the tests write themselves."""

from __future__ import annotations

import signal
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from smirk_core.errors import Cancelled, ExportError, MediaError, TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.rendering.preview import preview
from smirk_core.rendering.video_writer import VideoWriter, samples_as_sound, sound_of
from smirk_core.take import Take, TakeInfo

RATE = 10.0
SIZE = (96, 80)  # width, height of the footage


def _brightness(number: int) -> int:
    return 20 + 15 * number


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve flat grey frames whose brightness tells their number, with a tone from 0.5 s on."""
    path = tmp_path_factory.mktemp("footage") / "grey.mp4"
    time = np.arange(int(1.2 * 16000)) / 16000
    tone = np.where(time >= 0.5, 0.5 * np.sin(2 * np.pi * 440 * time), 0.0)
    with VideoWriter(path, *SIZE, RATE, sound=samples_as_sound(tone, 16000)) as writer:
        for number in range(12):
            writer.write(np.full((SIZE[1], SIZE[0], 3), _brightness(number), np.uint8), number / RATE)
    return path


def _take(source: Path | str, times: np.ndarray, head: str = "egg", **groups: np.ndarray) -> Take:
    n = len(times)
    raw = {
        "expression": np.linspace(0, 1, n)[:, None],
        "rotation": np.zeros((n, 3)),
        "camera": np.tile([300.0, 48.0, 38.0], (n, 1)),
        "visibility": np.ones((n, 1)),
    } | groups
    info = TakeInfo(source=str(source), rate=RATE, width=SIZE[0], height=SIZE[1], head=head)
    return Take(info, times, np.zeros(1), raw, raw)


def _frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def test_the_video_has_every_frame_at_its_time_and_even_sizes(
    footage: Path, egg_head: HeadModel, tmp_path: Path
) -> None:
    take = _take(footage, np.arange(2, 10) / RATE)
    told: list[tuple[int, int | None]] = []
    out = preview(
        take, tmp_path / "p.mp4", model=egg_head, size=101, progress=lambda _, done, total: told.append((done, total))
    )
    frames = _frames(out)
    assert len(frames) == 8
    assert [t for t, _ in frames] == pytest.approx(np.arange(8) / RATE, abs=1e-3)
    height, width = frames[0][1].shape[:2]
    assert (height, width) == (100, 3 * 104 - 4)
    assert told[-1] == (8, 8)
    # The photo column shows the very frame of that time; its corner is clear of the label and of the head.
    for number, (_, image) in enumerate(frames, start=2):
        assert image[70:90, 30:60].mean() == pytest.approx(_brightness(number), abs=6)


def test_the_head_is_drawn_where_the_take_puts_it(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    take = _take(footage, np.array([0.0]))
    picture = np.asarray(Image.open(preview(take, tmp_path / "p.png", model=egg_head, size=200)))
    photo, overlay = picture[:, :200].astype(int), picture[:, 204:404].astype(int)
    changed = np.abs(photo - overlay).max(axis=2) > 12
    # The egg is 150 x 200 mm, so 3/4 as wide as high, in the middle of its panel.
    rows, columns = np.flatnonzero(changed[30:].any(axis=1)), np.flatnonzero(changed[30:].any(axis=0))
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(99.5, abs=2)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(0.75, abs=0.12)


def test_frames_are_matched_by_time_when_the_take_skips_some(
    footage: Path, egg_head: HeadModel, tmp_path: Path
) -> None:
    take = _take(footage, np.array([0.1, 0.4, 0.9]))
    frames = _frames(preview(take, tmp_path / "p.mp4", model=egg_head, size=100, columns=("photo",)))
    assert [t for t, _ in frames] == pytest.approx([0, 0.3, 0.8], abs=1e-3)
    seen = [image[70:90, 30:60].mean() for _, image in frames]
    assert seen == pytest.approx([_brightness(1), _brightness(4), _brightness(9)], abs=6)


def test_sound_stays_in_sync_with_a_take_that_starts_late(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    take = _take(footage, np.arange(3, 12) / RATE)
    out = preview(take, tmp_path / "p.mp4", model=egg_head, size=64)
    parts = [(time, frame.to_ndarray()[0], frame.sample_rate) for time, frame in sound_of(out)]
    rate = parts[0][2]
    signal = np.concatenate([p[1] for p in parts])
    loud = np.abs(signal) > 0.1
    assert parts[0][0] + np.argmax(loud) / rate == pytest.approx(0.2, abs=0.04)


def test_a_take_without_footage_shows_its_head(egg_head: HeadModel, tmp_path: Path) -> None:
    out = preview(_take("", np.arange(4) / RATE), tmp_path / "p.mp4", model=egg_head, size=64)
    frames = _frames(out)
    assert len(frames) == 4
    assert frames[0][1].shape == (64, 64, 3)
    assert frames[0][1].std() > 10


def test_a_contact_sheet_spreads_its_moments(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    take = _take(footage, np.arange(12) / RATE)
    out = preview(take, tmp_path / "p.png", model=egg_head, size=60, frames=3, columns=("photo",))
    picture = np.asarray(Image.open(out))
    assert picture.shape == (3 * 64 - 4, 60, 3)
    assert picture[28:34, 5:50].mean() == pytest.approx(_brightness(0), abs=6)
    assert picture[156:162, 5:50].mean() == pytest.approx(_brightness(11), abs=6)


def test_dots_mark_the_landmarks(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    take = _take(footage, np.array([0.0]))
    out = preview(take, tmp_path / "p.png", model=egg_head, size=160, columns=("photo", "dots"))
    picture = np.asarray(Image.open(out)).astype(int)
    green = picture[..., 1] - picture[..., 0]
    assert green[:, 164:].max() > 100
    assert green[:, :160].max() < 20


@pytest.mark.parametrize("ending", ["mp4", "png"])
def test_a_cancelled_preview_leaves_no_file(footage: Path, egg_head: HeadModel, tmp_path: Path, ending: str) -> None:
    def stop(_: str, done: int, __: int | None) -> None:
        if done == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        preview(_take(footage, np.arange(6) / RATE), tmp_path / f"p.{ending}", model=egg_head, size=64, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_older_preview_survives_a_failed_new_one(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    out = tmp_path / "p.mp4"
    out.write_bytes(b"older")

    def fail(_: str, done: int, __: int | None) -> None:
        if done == 1:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        preview(_take(footage, np.arange(6) / RATE), out, model=egg_head, size=64, progress=fail)
    assert out.read_bytes() == b"older"


def test_what_cannot_be_done_is_said_in_one_line(footage: Path, egg_head: HeadModel, tmp_path: Path) -> None:
    take = _take(footage, np.arange(3) / RATE)
    (tmp_path / "file").write_text("")
    cases = [
        (ExportError, take, tmp_path / "p.avi", {}),
        (ExportError, take, tmp_path / "p.mp4", {"columns": ("foto",)}),
        (ExportError, take, tmp_path / "file" / "p.mp4", {}),
        (ExportError, take, tmp_path / "file" / "p.png", {}),
        (MediaError, _take(tmp_path / "gone.mp4", take.times), tmp_path / "p.mp4", {}),
        (MediaError, take, tmp_path / "p.mp4", {"media": tmp_path / "file"}),
        (TakeError, _take(footage, take.times, head="other"), tmp_path / "p.mp4", {}),
        (TakeError, _take(footage, take.times, expression=np.zeros((3, 9))), tmp_path / "p.mp4", {}),
    ]
    for kind, some, out, options in cases:
        with pytest.raises(kind) as caught:
            preview(some, out, model=egg_head, size=64, **options)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) > 20
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on file size to stand for a full disk")
@pytest.mark.parametrize("ending", ["mp4", "png"])
def test_a_full_disk_is_one_line_and_no_file(footage: Path, egg_head: HeadModel, tmp_path: Path, ending: str) -> None:
    import resource

    take = _take(footage, np.arange(12) / RATE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        with pytest.raises(ExportError, match="Cannot write"):
            preview(take, tmp_path / f"p.{ending}", model=egg_head, size=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
