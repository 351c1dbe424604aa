# SPDX-License-Identifier: Apache-2.0
"""Media: every codec, orientation, clock and kind of damage that footage comes with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from clips import frame_number, numbered_frame, shared_file, write_clip
from PIL import Image

from smirk_core.errors import MediaError
from smirk_core.tracking.media import Frame, open_media, prefetched

CODECS = [
    ("libx264", "h264.mp4", "yuv420p", 64, 48),
    ("libx264", "h264_10.mp4", "yuv420p10le", 64, 48),
    ("libx264", "h264_odd.mp4", "yuv444p", 65, 49),
    ("libx265", "h265.mp4", "yuv420p", 64, 48),
    ("libx265", "h265_10.mp4", "yuv420p10le", 64, 48),
    ("libvpx-vp9", "vp9.webm", "yuv420p", 64, 48),
    ("libvpx-vp9", "vp9_odd.webm", "yuv420p", 65, 49),
    ("prores_ks", "prores.mov", "yuv422p10le", 64, 48),
    ("mpeg1video", "mpeg1.mpg", "yuv420p", 64, 48),
    ("mjpeg", "mjpeg.avi", "yuvj420p", 64, 48),
]


@pytest.mark.parametrize(("codec", "name", "pixels", "width", "height"), CODECS, ids=[c[1] for c in CODECS])
def test_every_codec_gives_every_frame_at_its_time(
    tmp_path: Path, codec: str, name: str, pixels: str, width: int, height: int
) -> None:
    options = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    path = write_clip(tmp_path / name, codec, pixels=pixels, width=width, height=height, options=options)
    media = open_media(path)
    frames = list(media.frames())
    assert (media.info.kind, media.info.width, media.info.height) == ("video", width, height)
    assert media.info.rate == pytest.approx(25)
    assert not media.info.has_sound and media.info.rotation == 0 and media.notes == []
    assert media.info.frame_count == 12 and media.info.duration == pytest.approx(12 / 25, abs=1e-3)
    assert [f.index for f in frames] == list(range(12))
    assert [f.time for f in frames] == pytest.approx(np.arange(12) / 25, abs=1.1e-3)
    for i, frame in enumerate(frames):
        assert frame.image.shape == (height, width, 3) and frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame_number(frame.image) == i
        error = np.abs(frame.image.astype(int) - numbered_frame(i, width, height))
        assert np.median(error) <= 4


def test_variable_frame_rate_keeps_its_time_stamps(tmp_path: Path) -> None:
    times = [0.0, 0.02, 0.1, 0.11, 0.5, 0.533, 1.2, 1.25]
    frames = list(open_media(write_clip(tmp_path / "vfr.mkv", "libx264", count=8, times=times)).frames())
    assert [f.time for f in frames] == pytest.approx(times, abs=1.5e-3)
    assert [frame_number(f.image) for f in frames] == list(range(8))


def test_time_starts_at_the_first_frame(tmp_path: Path) -> None:
    times = [3.0 + i / 25 for i in range(6)]
    frames = list(open_media(write_clip(tmp_path / "late.mkv", "libx264", count=6, times=times)).frames())
    assert [f.time for f in frames] == pytest.approx(np.arange(6) / 25, abs=1.5e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_display_rotation_is_undone(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write display rotations")
    path = write_clip(
        tmp_path / "phone.mp4", "libx264", count=2, width=96, height=64,
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )  # fmt: skip
    media = open_media(path)
    expected = np.rot90(numbered_frame(0, 96, 64), degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    image = next(iter(media.frames())).image
    assert image.shape == expected.shape == (media.info.height, media.info.width, 3)
    assert image.flags.c_contiguous
    assert np.median(np.abs(image.astype(int) - expected)) <= 4
    assert media.info.rotation == -degrees % 360


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    def anamorphic(stream: object) -> None:
        stream.codec_context.sample_aspect_ratio = 2  # type: ignore[attr-defined]

    media = open_media(write_clip(tmp_path / "wide.mp4", "libx264", count=2, prepare=anamorphic))
    assert (media.info.width, media.info.height) == (128, 48)
    assert next(iter(media.frames())).image.shape == (48, 128, 3)


@pytest.mark.parametrize(
    ("codec", "name", "options"),
    [
        ("libx264", "long.mp4", {"g": "25", "bf": "3"}),
        ("libvpx-vp9", "long.webm", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "12"}),
        ("mpeg1video", "long.mpg", {"g": "12", "bf": "2"}),
        ("libx264", "long.avi", {"g": "25", "bf": "0"}),
    ],
)
def test_a_range_is_a_slice_of_the_whole(tmp_path: Path, codec: str, name: str, options: dict[str, str]) -> None:
    path = write_clip(tmp_path / name, codec, count=150, options=options)
    media = open_media(path)
    whole = list(media.frames())
    assert len(whole) == 150
    for start, end, step in [(0, 7, 1), (70, None, 1), (97, 140, 3), (149, None, 1), (99, 100, 5)]:
        part = list(media.frames(start, end, step))
        expected = whole[slice(start, end, step)]
        assert [f.index for f in part] == [f.index for f in expected]
        assert [f.time for f in part] == [f.time for f in expected]
        assert all((a.image == b.image).all() for a, b in zip(part, expected, strict=True))
    with pytest.raises(MediaError, match="there is no frame 150"):
        list(media.frames(150))


@pytest.mark.parametrize(("start", "end", "step"), [(-1, None, 1), (0, 0, 1), (5, 3, 1), (0, None, 0)])
def test_a_range_that_is_none_is_refused(tmp_path: Path, start: int, end: int | None, step: int) -> None:
    media = open_media(write_clip(tmp_path / "a.mp4", "libx264", count=2))
    with pytest.raises(MediaError, match="holds no frame"):
        media.frames(start, end, step)


def test_streaming_keeps_one_frame(tmp_path: Path) -> None:
    """Memory of the process, because decoded pictures live outside of Python's own count."""
    path = write_clip(tmp_path / "a.mp4", "libx264", count=150, width=1280, height=720, options={"preset": "ultrafast"})
    script = f"""
import resource, sys
from smirk_core.tracking.media import open_media
frames = open_media({str(path)!r}).frames()
for _ in range(10):
    next(frames)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(1 for _ in frames) == 140
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (2**20 if sys.platform == "darwin" else 2**10))
"""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert float(done.stdout) < 40  # megabytes; a decoded frame takes 1.4, so 140 of them 190


# Damage ---------------------------------------------------------------------------------------------------------------


def test_a_truncated_clip_gives_what_decodes_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write_clip(
        tmp_path / "a.mp4", "libx264", count=40, container_options={"movflags": "faststart"},
        picture=lambda i: rng.integers(0, 255, (48, 64, 3), dtype=np.uint8),
    )  # fmt: skip
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    media = open_media(path)
    count = len(list(media.frames()))
    assert 5 < count < 35
    assert len(media.notes) == 1 and "ends early" in media.notes[0] and f"{count} of 40" in media.notes[0]


def test_a_clip_without_its_index_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", "libx264", count=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="incomplete") as caught:
        open_media(path)
    assert "\n" not in str(caught.value)


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n")


BAD = {
    "empty.mp4": lambda p: p.write_bytes(b""),
    "text.mp4": lambda p: p.write_text("this is not a film, it is a note\n" * 50),
    "text.txt": lambda p: p.write_text("hello\n" * 500),
    "noise.mov": lambda p: p.write_bytes(np.random.default_rng(0).bytes(20000)),
    "tiny.png": lambda p: Image.new("RGB", (1, 1)).save(p),
    "cut.jpg": lambda p: (Image.effect_noise((200, 200), 90).save(p), p.write_bytes(p.read_bytes()[:3000])),
    "cut.png": lambda p: (Image.effect_noise((200, 200), 90).save(p), p.write_bytes(p.read_bytes()[:3000])),
    "broken.png": lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "sound.wav": _sound,
    "list.m3u8": _playlist,
    "photo.heic": lambda p: p.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100)),
    "folder": lambda p: (p.mkdir(), (p / "notes.txt").write_text("x")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    BAD[name](path)
    with pytest.raises(MediaError) as caught:
        list(open_media(path).frames())
    assert "\n" not in str(caught.value) and name in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["missing.mp4", "missing_%04d.png", "missing_*.png", "missing/####.png", "a\0b.mp4"])
def test_missing_input_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_media(os.fspath(tmp_path) + "/" + name)
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", "libx264", count=2)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(MediaError, match="Cannot read"):
        open_media(path)


# Photos ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(numbered_frame(0, 60, 40))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    media = open_media(tmp_path / "a.png")
    (frame,) = media.frames()
    assert (frame.image == np.asarray(upright)).all()
    assert (media.info.kind, media.info.rate, media.info.frame_count, frame.time) == ("photo", 0, 1, 0)
    assert media.info.rotation == {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)


def test_sixteen_bit_grey_becomes_eight_bit_colour(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    (frame,) = open_media(tmp_path / "deep.png").frames()
    assert np.abs(frame.image - levels[..., None] / 257).max() <= 0.51


def test_cmyk_photo(tmp_path: Path) -> None:
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    (frame,) = open_media(tmp_path / "print.jpg").frames()
    assert frame.image.shape == (32, 32, 3)
    assert (np.abs(frame.image.reshape(-1, 3).mean(axis=0) - [255, 0, 0]) < 6).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (32, 20), (200, 200, 200, 255)).convert(mode)
    picture.save(tmp_path / "a.png")
    (frame,) = open_media(tmp_path / "a.png").frames()
    assert frame.image.shape == (20, 32, 3) and abs(frame.image.mean() - 200) < 10


def test_transparency_lies_on_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(tmp_path / "a.png")
    (frame,) = open_media(tmp_path / "a.png").frames()
    assert (frame.image == 128).all()


# Sequences ------------------------------------------------------------------------------------------------------------


def _pictures(folder: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> None:
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(numbered_frame(i, *size)).save(folder / name)


@pytest.mark.parametrize("pattern", ["", "shot_%04d.png", "shot_####.png", "shot_*.png"])
def test_a_sequence_by_folder_and_by_pattern(tmp_path: Path, pattern: str) -> None:
    _pictures(tmp_path / "s", [f"shot_{i:04d}.png" for i in range(1, 6)])
    (tmp_path / "s" / "readme.txt").write_text("x")
    media = open_media(tmp_path / "s" / pattern if pattern else tmp_path / "s", rate=24)
    frames = list(media.frames())
    assert media.info.kind == "sequence" and media.info.frame_count == 5 and media.info.rate == 24
    assert [frame_number(f.image) for f in frames] == [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert [f.time for f in frames] == pytest.approx(np.arange(5) / 24)
    assert [f.index for f in media.frames(1, None, 2)] == [1, 3]
    with pytest.raises(MediaError, match="no frame 5"):
        media.frames(5)


def test_numbers_count_as_numbers_and_gaps_as_time(tmp_path: Path) -> None:
    _pictures(tmp_path / "s", ["f8.png", "f9.png", "f10.png", "f13.png"])
    frames = list(open_media(tmp_path / "s", rate=10).frames())
    assert [frame_number(f.image) for f in frames] == [0, 1, 2, 3]
    assert [f.time for f in frames] == pytest.approx([0.0, 0.1, 0.2, 0.5])


def test_a_picture_is_a_photo_unless_a_run_is_asked_for(tmp_path: Path) -> None:
    _pictures(tmp_path / "s", ["a_001.png", "a_002.png", "a_003.png", "a_005.png", "b_004.png"])
    assert open_media(tmp_path / "s" / "a_001.png").info.kind == "photo"
    assert len(list(open_media(tmp_path / "s" / "a_001.png", sequence=True).frames())) == 3
    assert len(list(open_media(tmp_path / "s" / "a_002.png", sequence=True).frames())) == 2


def test_pictures_that_do_not_fit_are_left_out_and_told(tmp_path: Path) -> None:
    _pictures(tmp_path / "s", [f"{i}.png" for i in range(5)])
    Image.new("RGB", (41, 30)).save(tmp_path / "s" / "1.png")
    (tmp_path / "s" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    media = open_media(tmp_path / "s")
    assert [f.index for f in media.frames()] == [0, 2, 4]
    assert len(media.notes) == 2 and "another size" in media.notes[0] and "damaged" in media.notes[1]


# Reading ahead --------------------------------------------------------------------------------------------------------


def test_reading_ahead_changes_nothing(tmp_path: Path) -> None:
    media = open_media(write_clip(tmp_path / "a.mp4", "libx264", count=20))
    plain, ahead = list(media.frames()), list(prefetched(media.frames(), depth=2))
    assert [f.index for f in plain] == [f.index for f in ahead]
    assert all((a.image == b.image).all() for a, b in zip(plain, ahead, strict=True))


def test_reading_ahead_passes_errors_on_in_their_place() -> None:
    def broken() -> Iterator[Frame]:
        yield Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8))
        raise MediaError("lost")

    frames = prefetched(broken())
    assert next(frames).index == 0
    with pytest.raises(MediaError, match="lost"):
        next(frames)


def test_reading_ahead_stops_when_left(tmp_path: Path) -> None:
    media = open_media(write_clip(tmp_path / "a.mp4", "libx264", count=60))
    before = threading.active_count()
    frames = prefetched(media.frames(), depth=1)
    next(frames)
    assert threading.active_count() == before + 1
    frames.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


# Footage of others ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "count", "rate"),
    [("interview_720p.mp4", (1280, 720), 99, 30000 / 1001), ("grid_bbaf2n.mpg", (360, 288), 75, 25.0)],
)
def test_real_clips(name: str, size: tuple[int, int], count: int, rate: float) -> None:
    media = open_media(shared_file("media/" + name))
    frames = [(f.index, f.time) for f in media.frames()]
    assert (media.info.width, media.info.height) == size and media.info.has_sound
    assert media.info.rate == pytest.approx(rate) and media.info.frame_count == count
    assert [i for i, _ in frames] == list(range(count))
    assert [t for _, t in frames] == pytest.approx(np.arange(count) / rate, abs=2e-3)
