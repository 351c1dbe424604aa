# SPDX-License-Identifier: Apache-2.0
"""Prepared faces: geometry, frame numbers, resuming, rejections, damaged and hostile files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smirk_core.errors import TrainingError
from training.data import prepare
from training.data.finding import Job, stored
from training.data.prepare import main, media_files, write_reports
from training.data.prepare import prepare as run
from training.data.prepared import Prepared, PreparedFace, Settings, encode, looked_at, write_settings, write_shard

DEMO = Path(prepare.__file__).parents[2] / "smirk_core" / "assets" / "demo" / "demo.mp4"


def landmarks(x=120.0, y=100.0, width=80.0):
    """478 points on a disc; the irises 40 % of its width apart."""
    angle = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    points = np.stack([x + width / 2 * np.cos(angle), y + width / 2 * np.sin(angle), 0 * angle], -1)
    points[468, :2], points[473, :2] = (x - 0.2 * width, y), (x + 0.2 * width, y)
    return points.astype(np.float32)


class Detector:
    """Sees the brightest spot as a face of 80 pixels; dark pictures have none."""

    calls = 0

    def __init__(self, *_, **__):
        self.closed = False

    def detect(self, image):
        Detector.calls += 1
        if image.max() < 128:
            return []
        row, column = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
        return [landmarks(column, row, 30.0 if image[..., 2].max() > 200 else 80.0)]

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def detector(monkeypatch):
    monkeypatch.setattr("smirk_core.tracking.faces.create_detector", Detector)
    Detector.calls = 0


def photo(path: Path, place=(100, 120), blue=0, size=(200, 240)):
    """A dark picture with one bright pixel at (row, column), or none."""
    picture = np.zeros((*size, 3), np.uint8) + np.uint8(20)
    if place:
        picture[place] = (255, 128, blue)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def test_the_stored_crop_holds_the_landmarks_where_they_were():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(240, dtype=np.uint8)[None, :, None], 200, 0).repeat(3, 2)  # value = column
    for width, size in ((50.0, 384), (90.0, 96)):
        points = landmarks(float(rng.uniform(80, 140)), float(rng.uniform(80, 140)), width)
        crop, moved, (k, x, y) = stored(image, points, Settings(size=size))
        np.testing.assert_allclose(moved[:, :2], k * points[:, :2] + [x, y], atol=1e-4)
        np.testing.assert_allclose(moved[:, 2], k * points[:, 2], atol=1e-4)
        inside = moved[((moved[:, :2] > 2) & (moved[:, :2] < len(crop) - 3)).all(1)]
        seen = crop[inside[:, 1].round().astype(int), inside[:, 0].round().astype(int), 0]
        assert len(inside) > 400
        np.testing.assert_allclose(seen, (inside[:, 0].round() - x) / k, atol=1.5)
        assert len(crop) <= size and abs(np.ptp(moved[:, 0]) * 2 / len(crop) - 1) < 0.03


def test_a_crop_beyond_the_frame_is_black_there():
    crop, moved, _ = stored(np.full((100, 100, 3), 200, np.uint8), landmarks(5, 50, 60), Settings())
    assert (crop[:, : len(crop) // 3] == 0).all() and (crop[len(crop) // 2, -20:] == 200).all()
    assert np.isfinite(moved).all()


def test_a_folder_is_prepared_once_and_new_files_later(tmp_path, detector):
    for i in range(3):
        photo(tmp_path / "in" / f"{i}.png", (100, 100 + i))
    photo(tmp_path / "in" / "dark.png", None)
    photo(tmp_path / "in" / "deep" / "small.png", blue=255)
    photo(tmp_path / "in" / "cut.png", (100, 2))
    photo(tmp_path / "in" / ".hidden.png")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "in" / "words.txt").write_text("no picture")
    job = Job(tmp_path / "in", tmp_path / "out", Settings())
    first = run(job, 0)
    assert first.files == 7 and first.faces == 3
    assert set(first.rejected) == {
        "no face", "face too small (eyes less than 24 pixels apart)",
        "face cut off by the frame (more than 25% outside)",
        "cannot be read: it is not a picture that can be read, or it is damaged.",
    }  # fmt: skip
    text = write_reports(job.output, first)
    assert "3 faces stored, 4 rejected (57.1%)" in text and "dark.png: no face" in text
    assert json.loads((job.output / "report.json").read_text())["by_file"]["dark.png"]["rejected"] == {"no face": 1}

    seen = Detector.calls
    again = run(job, 0)
    assert again.files == 0 and again.faces == 3 and Detector.calls == seen  # what was rejected is not tried again
    photo(tmp_path / "in" / "new.png", (90, 90))
    later = run(job, 0)
    assert later.files == 1 and later.faces == 4 and Detector.calls == seen + 1
    faces = Prepared(job.output)
    assert sorted(faces.sources) == ["0.png", "1.png", "2.png", "new.png"]
    row = faces.sources.index("2.png")
    k, x, y = faces.arrays["place"][row]
    spot = np.array([102 * k + x, 100 * k + y]).round().astype(int)
    assert faces.picture(row)[spot[1], spot[0], 0] > 200  # the bright pixel is where the numbers say


def test_a_run_that_is_killed_loses_no_finished_shard(tmp_path, detector, monkeypatch):
    monkeypatch.setattr(prepare, "_CHUNK", 2)
    for i in range(6):
        photo(tmp_path / "in" / f"{i}.png")
    job = Job(tmp_path / "in", tmp_path / "out", Settings())

    def stop(finished, waiting, faces):
        if finished == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, 0, show=stop)
    (job.output / "faces-00002.jpgs").write_bytes(b"half written")  # without its .json it does not count
    assert len(looked_at(job.output)) == 4
    assert run(job, 0).files == 2
    assert len(Prepared(job.output)) == 6


def test_several_processes_do_the_work_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "_CHUNK", 2)
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(b"no picture")
    looks = []
    report = run(Job(tmp_path, tmp_path / "out", Settings()), 2, show=lambda *numbers: looks.append(numbers))
    assert report.files == 5 and sum(report.rejected.values()) == 5 and sorted(n for n, _, _ in looks)[-1] == 5
    assert sorted(p.name for p in (tmp_path / "out").glob("*.json")) == [
        "faces-00000.json", "faces-00001.json", "faces-00002.json", "prepared.json",
    ]  # fmt: skip
    with pytest.raises(TrainingError, match="all pictures were rejected"):
        Prepared(tmp_path / "out")


def test_other_settings_and_changed_files_are_refused(tmp_path, detector):
    photo(tmp_path / "in" / "a.png")
    run(Job(tmp_path / "in", tmp_path / "out", Settings()), 0)
    with pytest.raises(TrainingError, match="other settings"):
        run(Job(tmp_path / "in", tmp_path / "out", Settings(size=100)), 0)
    photo(tmp_path / "in" / "a.png", size=(201, 240))
    with pytest.raises(TrainingError, match=r"changed since.*a\.png"):
        run(Job(tmp_path / "in", tmp_path / "out", Settings()), 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="no photos or videos"):
        run(Job(tmp_path / "empty", tmp_path / "out2", Settings()), 0)


def test_frames_of_a_video_keep_their_numbers_where_others_show_no_face(tmp_path, detector):
    """A frame without a face must not shift the landmarks of those after it."""
    import av

    path = tmp_path / "in" / "clip.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 240, 200, "yuv420p"
        for index in range(9):
            picture = np.zeros((200, 240, 3), np.uint8)
            if index % 3 != 1:
                picture[92:108, 100 + 3 * index : 116 + 3 * index] = 190
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    fan = tmp_path / "fan"
    fan.mkdir()
    np.save(fan / "clip.npy", np.broadcast_to([120.0, 100.0], (9, 68, 2)))
    job = Job(tmp_path / "in", tmp_path / "out", Settings(), fan=fan, smallest=1.0)
    report = run(job, 0)
    faces = Prepared(job.output)
    assert report.rejected == {"no face": 3} and faces.arrays["frame"].tolist() == [0, 2, 3, 5, 6, 8]
    np.testing.assert_allclose(faces.arrays["time"], faces.arrays["frame"] / 10, atol=1e-6)
    assert faces.arrays["fan_known"].all()
    k, x, y = faces.arrays["place"].T
    np.testing.assert_allclose(faces.arrays["fan"][:, 0], np.stack([120 * k + x, 100 * k + y], 1), atol=1e-3)
    centre = (faces.arrays["mediapipe"][:, :468, 0].mean(1) - x) / k
    assert (np.diff(centre) / np.diff(faces.arrays["frame"]) > 1.5).all()  # the spot wanders by 3 pixels a frame


@pytest.mark.skipif(not DEMO.exists(), reason="the demo clip is not here")
def test_the_command_on_a_real_clip(tmp_path, capsys):
    pytest.importorskip("mediapipe")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "demo.mp4").write_bytes(DEMO.read_bytes())
    output = tmp_path / "out"
    assert main([str(folder), "-o", str(output), "--every", "40", "--processes", "1"]) == 0
    assert "rejected" in capsys.readouterr().out
    faces = Prepared(output)
    assert len(faces) >= 2 and (np.diff(faces.arrays["frame"]) % 40 == 0).all()
    side = faces.picture(0).shape[0]
    points = faces.arrays["mediapipe"][..., :2]
    assert points.min() > 0 and points.max() < side
    with Image.open(output / "sheet.png") as sheet:
        assert sheet.width == 128 * len(faces)
    assert main([str(tmp_path / "nowhere"), "-o", str(output)]) == 2
    assert "There is no folder" in capsys.readouterr().err


def shard(folder: Path, count=3):
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, Settings())
    picture = encode(np.full((64, 64, 3), 90, np.uint8), 90)
    faces = [
        PreparedFace(picture, landmarks(32, 32, 30), (1.0, 0.0, 0.0), f"{i}.png", f"p{i % 2}") for i in range(count)
    ]
    write_shard(folder, 0, faces, {})
    return folder


@pytest.mark.parametrize("member, value", [
    ("start", np.array([0, 5, 4, 9])), ("mediapipe", np.zeros((3, 477, 3), np.float32)),
    ("source", np.array([0, 1, 3], np.int32)), ("mediapipe", np.full((3, 478, 3), np.nan, np.float32)),
    ("sources", None), ("group", np.array([{}, {}, {}], object)),
])  # fmt: skip
def test_damaged_and_hostile_shards_are_refused_by_name(tmp_path, member, value):
    folder = shard(tmp_path / "p")
    with np.load(folder / "faces-00000.npz") as file:
        arrays = dict(file)
    arrays[member] = value
    if value is None:
        del arrays[member]
    np.savez(folder / "faces-00000.npz", **arrays)
    with pytest.raises(TrainingError, match="shard faces-00000"):
        Prepared(folder)


def test_truncated_pictures_and_foreign_folders_are_refused(tmp_path):
    folder = shard(tmp_path / "p")
    data = (folder / "faces-00000.jpgs").read_bytes()
    (folder / "faces-00000.jpgs").write_bytes(data[:-1])
    with pytest.raises(TrainingError, match="damaged"):
        Prepared(folder)
    with pytest.raises(TrainingError, match=r"training\.data\.prepare"):
        Prepared(tmp_path)
    (tmp_path / "prepared.json").write_text('{"format": "smirk-faces-9"}')
    with pytest.raises(TrainingError, match="version"):
        Prepared(tmp_path)


def test_what_is_stored_is_jpeg_and_nothing_else(tmp_path):
    """A picture of another format in a shard is not opened, whatever Pillow could read."""
    folder = shard(tmp_path / "p", 1)
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    face = PreparedFace(stream.getvalue(), landmarks(32, 32, 30), (1.0, 0.0, 0.0), "x.png", "x")
    write_shard(folder, 0, [face], {})
    with pytest.raises(OSError, match="cannot identify"):
        Prepared(folder).picture(0)


def test_hidden_files_and_other_kinds_are_passed_over(tmp_path):
    for name in ("b.JPG", "a/c.mp4", ".x/d.png", "e.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert media_files(tmp_path) == ["a/c.mp4", "b.JPG"]
