# SPDX-License-Identifier: Apache-2.0
"""Where data sets keep their files, which faces make a batch, and what happens to those that cannot be read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from smirk_core.errors import TrainingError
from training.data import layouts
from training.data.face_sets import Face, SampleError
from training.data.landmark_files import bridged, fan_frames, mediapipe_frames
from training.data.layouts import open_set
from training.data.mix import Mix, composition

DICE = np.random.default_rng(0)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def picture(path: Path, value=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 50, 3), value, np.uint8)).save(path)


def test_the_share_of_each_set_in_a_batch():
    """The figures of the specification, section 7.6: 32 faces at shares .2, .1, .3, .3, .1."""
    assert composition([0.2, 0.1, 0.3, 0.3, 0.1], 32) == [8, 3, 9, 9, 3]
    assert composition([2, 1, 3, 3, 1], 32) == [8, 3, 9, 9, 3]
    for shares in ([], [0.0, 0.0], [0.5, -0.1]):
        with pytest.raises(TrainingError, match="shares"):
            composition(shares, 32)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(1, 300))
def test_every_batch_is_full(shares, batch):
    counts = composition(shares, batch)
    assert sum(counts) == batch and min(counts) >= 0


class Numbers:
    """A set whose faces are their numbers; some cannot be read."""

    def __init__(self, count: int, bad=()):
        self.name, self.count, self.bad = "numbers", count, set(bad)

    def __len__(self):
        return self.count

    def read(self, item, dice):
        if item in self.bad:
            raise SampleError("a reason")
        return Face(np.full((1, 1, 3), item % 256, np.uint8), np.zeros((478, 3)))


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(10, 40), st.integers(0, 2**40))
def test_processes_share_a_set_without_repeating(world, count, seed):
    """In one epoch all processes together see each item at most once, and together see nearly all of them."""
    each = 2
    mixes = [Mix([(Numbers(count), 1.0)], each, seed, rank, world) for rank in range(world)]
    batches = count // (each * world)
    seen = [slot.item for number in range(batches) for mix in mixes for slot in mix.slots(number)]
    assert len(seen) == len(set(seen)) == batches * each * world
    again = Mix([(Numbers(count), 1.0)], each, seed, 0, world).slots(3)
    assert again == mixes[0].slots(3)  # whatever was asked for before


def test_epochs_differ_and_held_out_data_keeps_its_order():
    mix = Mix([(Numbers(50), 1.0)], 50, 1)
    first, second = ([s.item for s in mix.slots(n)] for n in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert len({s.seed for n in (0, 1) for s in mix.slots(n)}) == 100
    plain = Mix([(Numbers(7), 1.0)], 4, 1, shuffled=False)
    assert [s.item for n in range(3) for s in plain.slots(n)] == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4]


def test_a_face_that_cannot_be_read_is_counted_reported_and_replaced(caplog):
    mix = Mix([(Numbers(20, bad={3, 4}), 1.0)], 20, 5)
    faces = [mix.read(slot)[0] for slot in mix.slots(0)]
    values = [int(f.picture[0, 0, 0]) for f in faces]
    assert len(values) == 20 and not {3, 4} & set(values)
    assert mix.failures.failed >= 2 and mix.failures.read == 20 + mix.failures.failed
    assert "numbers: a reason" in str(mix.failures) and "a reason (1 of" in caplog.text
    again = Mix([(Numbers(20, bad={3, 4}), 1.0)], 20, 5)
    assert [int(again.read(s)[0].picture[0, 0, 0]) for s in again.slots(0)] == values


def test_a_set_that_cannot_be_read_ends_the_run_and_says_why():
    mix = Mix([(Numbers(20, bad=range(20)), 1.0)], 4, 5)
    with pytest.raises(TrainingError, match=r"8 samples of 'numbers' in a row.*\n.*\n.*a reason"):
        mix.read(mix.slots(0)[0])


def test_photos_with_landmarks_beside_them(tmp_path):
    picture(tmp_path / "photos" / "a" / "x.jpg", 200)
    picture(tmp_path / "photos" / "y.png")
    (tmp_path / "mp" / "a").mkdir(parents=True)
    np.save(tmp_path / "mp" / "a" / "x.npy", np.ones((478, 3)))
    (tmp_path / "fan" / "a").mkdir(parents=True)
    np.save(tmp_path / "fan" / "a" / "x.npy", np.full((2, 68, 2), 7.0))
    words = {"kind": "images", "path": f"{tmp_path}/photos", "mediapipe": f"{tmp_path}/mp", "fan": f"{tmp_path}/fan"}
    faces = open_set(words)
    face = faces.read(0, DICE)
    assert face.picture.shape == (40, 50, 3) and face.fan is not None and face.fan.shape == (68, 2)
    with pytest.raises(SampleError, match="no landmark file"):
        faces.read(1, DICE)
    np.save(tmp_path / "mp" / "a" / "x.npy", np.ones((400, 3)))
    with pytest.raises(SampleError, match="damaged landmark file"):
        faces.read(0, DICE)


def test_ffhq_and_celeba_lie_where_the_specification_says(tmp_path):
    picture(tmp_path / "ffhq" / "00000.png")
    for name in ("000001", "000002", "000003"):
        picture(tmp_path / "celeba" / f"{name}.jpg", int(name))
    for folder in ("mp", "fan"):
        (tmp_path / folder).mkdir()
    for stem in ("00000", "000001", "000002", "000003"):
        np.save(tmp_path / "mp" / f"{stem}.npy", np.ones((478, 3)))
        np.save(tmp_path / "fan" / f"{stem}.npy", np.ones((1, 68, 2)))
    (tmp_path / "ids.txt").write_text("000001.jpg 5\n000002.jpg 9\n000003.jpg 5\n")
    rest = {"mediapipe": str(tmp_path / "mp"), "fan": str(tmp_path / "fan")}
    ffhq = open_set({"kind": "ffhq", "path": str(tmp_path / "ffhq")} | rest)
    assert len(ffhq) == 1 and ffhq.read(0, DICE).fan is not None
    celeba = open_set(
        {"kind": "celeba", "path": str(tmp_path / "celeba"), "identities": str(tmp_path / "ids.txt")} | rest
    )
    assert len(celeba) == 2  # persons, not photos
    seen = {int(celeba.read(0, DICE).picture[0, 0, 0]) for _ in range(30)}
    assert len(seen) == 2
    (tmp_path / "ids.txt").write_text("000001.jpg\n")
    with pytest.raises(TrainingError, match="line 1"):
        open_set({"kind": "celeba", "path": str(tmp_path / "celeba"), "identities": str(tmp_path / "ids.txt")} | rest)


def test_mead_and_lrs3_split_by_person(tmp_path):
    touch(*(tmp_path / "mead" / f"{s}_front_1.mp4" for s in ("M003", "M013", "M005", "X999")))
    for part, subject in (("train", "M003"), ("held_out", "M013"), ("test", "M005")):
        faces = layouts.mead_front(str(tmp_path / "mead"), "mp", "fan", part)
        assert len(faces) == 1
        assert [v.file.name[:4] for v in faces._items] == [subject]  # type: ignore[attr-defined]
    touch(*(tmp_path / "sides" / f"videos_{v}" / "M003_1.mp4" for v in ("left_30", "right_60", "top")))
    assert len(layouts.mead_sides(str(tmp_path / "sides"))) == 2
    touch(*(tmp_path / "lrs3" / "trainval" / f"{i:02d}" / "a.mp4" for i in range(10)))
    touch(tmp_path / "lrs3" / "test" / "t" / "a.mp4")
    parts = {p: layouts.lrs3(str(tmp_path / "lrs3"), "", p) for p in ("train", "held_out", "test")}
    assert [len(parts[p]) for p in parts] == [8, 2, 1]
    names = [{v.file for v in parts[p]._items} for p in ("train", "held_out")]  # type: ignore[attr-defined]
    assert not names[0] & names[1]
    assert not (layouts.MEAD_TRAIN & layouts.MEAD_VALIDATION or len(layouts.MEAD_TRAIN) != 37)


@pytest.mark.parametrize("words, message", [
    ({"kind": "nothing"}, "no kind of data set 'nothing'"), ({}, "no kind"),
    ({"kind": "ffhq", "path": "x"}, "does not take that"), ({"kind": "lrs3", "path": "nowhere"}, "There is no folder"),
    ({"kind": "prepared", "path": "nowhere"}, r"training\.data\.prepare"),
    ({"kind": "images", "path": ".", "mediapipe": "x", "colour": 1}, "does not take that"),
])  # fmt: skip
def test_wrong_entries_of_a_configuration_say_what_is_wrong(words, message):
    with pytest.raises(TrainingError, match=message):
        open_set(words)


def clip(path: Path, frames=6) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(frames):
            image = np.full((64, 64, 3), 20 + 30 * index, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_a_random_frame_comes_with_its_own_landmarks(tmp_path):
    clip(tmp_path / "a.mp4")
    (tmp_path / "mp").mkdir()
    points = np.zeros((6, 478, 3)) + np.arange(6)[:, None, None]
    np.save(tmp_path / "mp" / "a.npy", points)
    (tmp_path / "fan").mkdir()
    fan = [None, np.ones((68, 2)), None, 3 * np.ones((68, 2)), None, None]
    (tmp_path / "fan" / "a.pkl").write_bytes(pickle.dumps(fan))
    words = {"kind": "videos", "path": str(tmp_path), "mediapipe": f"{tmp_path}/mp", "fan": f"{tmp_path}/fan"}
    faces = open_set(words)
    seen = set()
    for _ in range(12):
        face = faces.read(0, DICE)
        index = int(face.mediapipe[0, 0])
        seen.add(index)
        assert abs(int(face.picture[30, 30, 0]) - (20 + 30 * index)) < 8
        assert face.fan is not None and face.fan[0, 0] == [1, 1, 2, 3, 3, 3][index]
    assert len(seen) > 2
    np.save(tmp_path / "mp" / "a.npy", points[:4])  # two frames without a face were left out
    with pytest.raises(SampleError, match="not one row for each frame"):
        open_set(words).read(0, DICE)


def test_landmark_files_of_strangers(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "a.pkl").write_bytes(pickle.dumps([Evil()]))
    with pytest.raises(TrainingError):
        fan_frames(tmp_path / "a")
    (tmp_path / "b.npy").write_bytes(b"\x93NUMPY")
    np.save(tmp_path / "c.npy", np.full((478, 3), np.nan))
    for name in ("b", "c"):
        with pytest.raises(TrainingError, match=name):
            mediapipe_frames(tmp_path / f"{name}.npy")
    assert not (tmp_path / "ran").exists() and fan_frames(tmp_path / "nothing") is None


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_gaps_are_bridged_and_ends_repeated(known):
    frames = [np.full((68, 2), float(i)) if k else None for i, k in enumerate(known)]
    full = bridged(list(frames))
    if not any(known):
        assert full == frames
        return
    first, last = known.index(True), len(known) - 1 - known[::-1].index(True)
    for i, frame in enumerate(full):
        assert frame is not None
        np.testing.assert_allclose(frame, np.clip(i, first, last), atol=1e-9)
