# SPDX-License-Identifier: Apache-2.0
"""Crops and batches of real faces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.errors import TrainingError  # noqa: E402
from training.data.datasets import crop_coordinates, crop_face, to_batch  # noqa: E402
from training.data.face_sets import Face  # noqa: E402
from training.data.prepared import PreparedFace, Settings, encode, write_settings, write_shard  # noqa: E402
from training.data.source import Request, open_source  # noqa: E402


def landmarks(x, y, width):
    angle = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    return np.stack([x + width / 2 * np.cos(angle), y + width / 2 * np.sin(angle), 0 * angle], -1)


def ramp(height=300, width=320):
    """Red is half the column, green half the row."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.arange(width) // 2, np.arange(height)[:, None] // 2
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty prepared faces; each picture's blue is its number, its landmarks a circle where it is bright."""
    path = tmp_path_factory.mktemp("prepared")
    write_settings(path, Settings())
    faces = []
    for number in range(20):
        picture = np.full((96, 96, 3), 5, np.uint8)
        rows, columns = np.mgrid[:96, :96]
        picture[(rows - 48) ** 2 + (columns - 50) ** 2 <= 20**2] = (200, 150, 10 * number)
        fan = np.tile([[50.0, 48.0]], (68, 1)) if number % 2 else None
        faces.append(
            PreparedFace(
                encode(picture, 95), landmarks(50, 48, 40), (1.0, 0.0, 0.0), f"{number}", f"b{number}", fan=fan
            )
        )
    write_shard(path, 0, faces, {})
    return str(path)


@pytest.mark.parametrize("size, scale", [(224, 1.4), (112, 1.2), (48, 1.8)])
def test_crops_hold_what_the_landmarks_say(size, scale):
    face = Face(ramp(), landmarks(150, 140, 110), np.tile([[150.0, 140.0]], (68, 1)))
    for faithful in (False, True):
        crop = crop_face(face, size, scale, faithful=faithful)
        assert crop.picture.shape == (size, size, 3) and crop.picture.dtype == np.uint8
        pixel = (crop.mediapipe[::40] + 1) * size / 2 - (0.0 if faithful else 0.5)
        inside = ((pixel > 0) & (pixel < size - 1)).all(1)
        at = pixel[inside].round().astype(int)
        there = crop.picture[at[:, 1], at[:, 0], :2] * 2.0
        reach = 110 * scale / size + 2.5  # a pixel's rounding, and the ramp's steps
        assert np.abs(there - face.mediapipe[::40, :2][inside]).max() < reach
        assert crop.fan is not None and np.abs(crop.fan).max() < 2 / size
        assert abs(np.ptp(crop.mediapipe[:, 0]) - 2 / scale) < 0.02


def test_both_ways_to_cut_agree_where_nothing_is_shrunk():
    face = Face(ramp(), landmarks(150, 140, 110), None)
    ours, original = crop_face(face, 224, 1.4), crop_face(face, 224, 1.4, faithful=True)
    gap = np.abs(ours.picture.astype(int) - original.picture)[2:-2, 2:-2]
    assert gap.max() <= 1  # the original cuts fractions off


def test_large_faces_do_not_alias():
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 200
    face = Face(stripes, landmarks(300, 300, 400), None)
    assert crop_face(face, 48, 1.4).picture[4:-4, 4:-4].std() < 12
    assert crop_face(face, 48, 1.4, faithful=True).picture[4:-4, 4:-4].std() > 40


def test_crop_coordinates_are_the_rasterisers():
    np.testing.assert_allclose(crop_coordinates(np.array([-0.5, 55.5, 111.5]), 112), [-1, 0, 1])
    np.testing.assert_allclose(crop_coordinates(np.array([0, 56.0, 112]), 112, faithful=True), [-1, 0, 1])


def test_a_batch_has_everything_the_two_paths_need(folder):
    request = Request(size=64, batch=8, seed=3)
    batch = next(open_source("faces", request, {"sets": [{"kind": "prepared", "path": folder}], "augment": False}))
    assert batch.image.shape == (8, 3, 64, 64) and batch.hull.dtype == torch.bool and len(batch) == 8
    assert {n: tuple(p.shape[1:]) for n, p in batch.landmarks.items()} == {
        "mediapipe_478": (478, 2), "mediapipe_105": (105, 2), "ibug_68": (68, 2)
    }  # fmt: skip
    bright = batch.image[:, :1] > 0.5
    agree = (bright == batch.hull).float().mean((1, 2, 3))
    assert agree.min() > 0.955  # the hull lies on the bright disc, but for its rim (a shift by 3 pixels gives .92)
    known = numbers(batch) % 2 == 1
    assert 0 < known.sum() < 8
    assert (batch.trust["ibug_68"][:, :17].mean(1) == known.float()).all()
    assert (batch.trust["ibug_68"][:, 17:] == 0).all() and (batch.trust["mediapipe_105"] == 1).all()
    assert batch.truth == {}


def numbers(batch):
    """Which faces a batch shows, by the blue of their middles."""
    middle = batch.image.shape[-1] // 2
    return (batch.image[:, 2, middle - 2 : middle + 2, middle - 2 : middle + 2].mean((1, 2)) * 25.5).round().int()


def test_order_is_the_same_again_after_a_stop_and_shared_between_processes(folder):
    options = {"sets": [{"kind": "prepared", "path": folder}], "workers": 2}
    straight = list(itertools.islice(open_source("faces", Request(32, 4, 9), options), 4))
    resumed = list(itertools.islice(open_source("faces", Request(32, 4, 9, start=2), options), 2))
    for one, other in zip(straight[2:], resumed, strict=True):
        torch.testing.assert_close(one.image, other.image, rtol=0, atol=0)
        torch.testing.assert_close(one.landmarks["mediapipe_478"], other.landmarks["mediapipe_478"], rtol=0, atol=0)
    plain = options | {"augment": False}
    ranks = [
        torch.cat([numbers(b) for b in itertools.islice(open_source("faces", request, plain), 2)])
        for request in (Request(32, 5, 9, rank=0, world=2), Request(32, 5, 9, rank=1, world=2))
    ]
    assert sorted(torch.cat(ranks).tolist()) == list(range(20))  # one epoch, each face once


def test_held_out_data_is_plain_in_order_and_apart_from_training(folder):
    words = {"kind": "prepared", "path": folder}
    held = open_source("faces", Request(32, 20, 9, training=False), {"sets": [words]})
    first, second = next(held), next(held)
    torch.testing.assert_close(first.image, second.image, rtol=0, atol=0)
    width = first.landmarks["mediapipe_478"][..., 0].amax(1) - first.landmarks["mediapipe_478"][..., 0].amin(1)
    torch.testing.assert_close(width, torch.full((20,), 2 / 1.6), atol=0.03, rtol=0)
    parts = []
    for part in ("train", "held_out"):
        batches = open_source("faces", Request(32, 20, 9, training=False), {"sets": [words | {"part": part}]})
        parts.append(set(numbers(next(batches)).tolist()))
    assert parts[0] | parts[1] == set(range(20)) and not parts[0] & parts[1]


@pytest.mark.parametrize("options, message", [
    ({"sets": []}, "no data sets"), ({"sets": [{"kind": "x"}]}, "no kind"), ({}, "does not take that"),
    ({"sets": [], "scale": [3]}, "scale of crops"),
])  # fmt: skip
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(TrainingError, match=message):
        next(open_source("faces", Request(), options))


def test_what_could_not_be_read_is_told_at_the_end(folder, tmp_path, caplog):
    """A damaged picture among twenty: the run goes on without it, and says so."""
    import shutil

    shutil.copytree(folder, tmp_path / "p")
    path = tmp_path / "p" / "faces-00000.jpgs"
    data = bytearray(path.read_bytes())
    data[:40] = bytes(40)
    path.write_bytes(data)
    source = open_source(
        "faces", Request(32, 20, 1, training=False), {"sets": [{"kind": "prepared", "path": str(tmp_path / "p")}]}
    )
    batch = next(source)
    assert len(batch) == 20
    getattr(source, "close")()  # noqa: B009 - an iterator for most, a generator here
    assert "the stored picture is damaged" in caplog.text and "samples could not be used" in caplog.text


def test_a_batch_may_have_no_fan_landmarks_at_all():
    crop = crop_face(Face(ramp(), landmarks(150, 140, 110), None), 32, 1.4)
    assert to_batch([crop]).trust["ibug_68"].sum() == 0


def test_recognisers_see_clean_crops_as_they_stand_after_the_mirror(folder):
    """Aligned faces do not depend on light and noise, but on the crop; nobody pays for them unasked."""
    words = {"sets": [{"kind": "prepared", "path": folder}], "workers": 1}
    request = Request(32, 6, 2, aligned=True)
    clean = next(open_source("faces", request, words | {"augment": False}))
    changed = next(open_source("faces", request, words | {"augment": {"flip": 0.0}}))
    assert clean.aligned is not None and clean.aligned.shape == (6, 3, 112, 112)
    assert not torch.allclose(clean.image, changed.image)
    torch.testing.assert_close(clean.aligned, changed.aligned)
    assert clean.aligned.mean((2, 3)).std(0).max() > 0.01 and clean.trust["aligned"].tolist() == [1] * 6
    assert next(open_source("faces", Request(32, 6, 2), words)).aligned is None
