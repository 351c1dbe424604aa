# SPDX-License-Identifier: Apache-2.0
"""Who is who: people who cross, leave, return and come late, with faces made of points."""

from __future__ import annotations

import numpy as np
import pytest
from clips import shared_file
from hypothesis import given, settings
from hypothesis import strategies as st

from smirk_core.errors import MediaError
from smirk_core.tracking.face_tracks import FaceTrack, TrackBuilder, select_tracks, shape_distance
from smirk_core.tracking.face_windows import box_overlap, landmark_box
from smirk_core.tracking.observations import Observations


def person(seed: int) -> np.ndarray:
    """(478, 3) a rigid cloud of unit width that no other seed has."""
    points = np.random.default_rng(seed).normal(size=(478, 3)) * [0.25, 0.35, 0.2]
    return points - points.mean(axis=0)


def turned(points: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def placed(points: np.ndarray, x: float, y: float = 200.0, size: float = 100.0) -> np.ndarray:
    return (points * size + [x, y, 0]).astype(np.float32)


def run(frames: list[list[np.ndarray]], rate: float = 25.0) -> list[FaceTrack]:
    builder = TrackBuilder()
    for i, faces in enumerate(frames):
        builder.add(i, i / rate, faces)
    return builder.finish()


A, B = person(1), person(2)


def test_one_face_is_one_track() -> None:
    frames = [[placed(turned(A, 0.3 * np.sin(i / 9)), 200 + 4 * i)] for i in range(60)]
    (track,) = run(frames)
    assert track.number == 0 and (track.seen == np.arange(60)).all() and (track.visibility == 1).all()
    assert (track.landmarks == np.array([f[0] for f in frames])).all() and track.landmarks.dtype == np.float32
    assert track.times == pytest.approx(np.arange(60) / 25)


def test_people_who_stand_apart_keep_their_tracks_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    frames = []
    for i in range(50):
        pair = [placed(A, 200 + i), placed(B, 600 - i)]
        frames.append(pair if rng.random() < 0.5 else pair[::-1])
    first, second = run(frames)
    assert np.allclose(first.landmarks[:, :, 0].mean(axis=1), 200 + np.arange(50), atol=0.01)
    assert np.allclose(second.landmarks[:, :, 0].mean(axis=1), 600 - np.arange(50), atol=0.01)


def test_people_who_cross_are_told_apart_by_shape() -> None:
    frames = [[placed(A, 200 + 8 * i), placed(B, 600 - 8 * i, 230)] for i in range(50)]
    first, second = run(frames)
    assert np.allclose(first.landmarks[:, :, 0].mean(axis=1), 200 + 8 * np.arange(50), atol=0.01)
    assert np.allclose(second.landmarks[:, :, 0].mean(axis=1), 600 - 8 * np.arange(50), atol=0.01)


def test_a_face_that_leaves_and_returns_stays_itself_and_the_gap_is_marked() -> None:
    frames = [[placed(A, 200)]] * 20 + [[]] * 100 + [[placed(A, 900, 100)]] * 20
    (track,) = run(frames)
    assert len(track.times) == 140 and track.visibility.sum() == 40
    assert (track.visibility[20:120] == 0).all() and np.isnan(track.landmarks[20:120]).all()
    assert np.isfinite(track.landmarks[track.visibility > 0]).all()


def test_another_person_who_comes_after_is_another_track() -> None:
    frames = [[placed(A, 200)]] * 20 + [[]] * 100 + [[placed(B, 900, 100)]] * 20
    first, second = run(frames)
    assert first.visibility[:20].all() and second.visibility[-20:].all()
    assert len(first.times) == len(second.times) == 140
    assert (first.number, second.number) == (0, 1)


def test_numbers_go_by_appearance_from_left_to_right() -> None:
    tracks = run([[placed(B, 600), placed(A, 100)]] * 5)
    assert [t.landmarks[0, :, 0].mean() < 300 for t in tracks] == [True, False]


def test_selection() -> None:
    big, small, blink = placed(A, 200, size=150), placed(B, 600, size=60), placed(person(3), 900, size=300)
    tracks = run([[small, big]] * 30 + [[small, big, blink]] + [[small, big]] * 10)
    numbers = {name: [t.number for t in select_tracks(tracks, name)] for name in ("largest", "all", "1", 2, 5)}
    assert numbers["all"] == numbers[2] == numbers[5] == [0, 1]  # the face of one frame is a mistake of the detector
    assert numbers["largest"] == numbers["1"] == [0]
    alone = run([[blink]] + [[]] * 10)
    assert len(select_tracks(alone, "largest")) == 1  # unless there is nothing else
    for wrong in ("biggest", "0", 0, -1, "1.5", ""):
        with pytest.raises(MediaError, match="Faces is"):
            select_tracks(tracks, wrong)


def test_observations_of_a_track() -> None:
    (track,) = run([[placed(A, 200)]] * 3 + [[]] * 2)
    seen = track.observations(640, 480, "facemesh-0")
    assert isinstance(seen, Observations) and len(seen) == 5
    assert (seen.width, seen.height, seen.detector) == (640, 480, "facemesh-0")
    with pytest.raises(ValueError, match="expected landmarks"):
        Observations(seen.times, seen.landmarks[:, :468], seen.visibility, 640, 480)
    with pytest.raises(ValueError, match="not finite"):
        Observations(seen.times, seen.landmarks, np.ones(5, np.float32), 640, 480)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.floats(-3, 3), st.floats(0.1, 50))
def test_shape_does_not_depend_on_pose_or_size(seed: int, yaw: float, scale: float) -> None:
    from smirk_core.tracking.face_tracks import _signature

    points = person(seed)
    others = np.stack([_signature(turned(points, yaw) * scale + [3, 4, 5]), _signature(person(seed + 1))])
    same, different = shape_distance(_signature(points), others)
    assert same < 1e-6 < 0.3 < different


@given(st.lists(st.floats(0, 100), min_size=4, max_size=4))
def test_overlap(numbers: list[float]) -> None:
    x, y, w, h = (v + 1 for v in numbers)
    box = np.array([x, y, x + w, y + h])
    assert box_overlap(box, box) == pytest.approx(1)
    assert box_overlap(box, box + np.array([w, 0, w, 0])) == pytest.approx(0, abs=1e-6)
    assert box_overlap(box, box + np.array([w / 2, 0, w / 2, 0])) == pytest.approx(1 / 3)


def test_landmark_box() -> None:
    assert (landmark_box(np.array([[3.0, 9, 0], [1, 10, 5]])) == [1, 9, 3, 10]).all()


@pytest.mark.usefixtures("detector")
def test_a_real_head_that_turns_and_jumps_stays_one_person() -> None:
    from smirk_core.tracking.faces import create_detector
    from smirk_core.tracking.media import open_media

    builder = TrackBuilder()
    with create_detector() as detector:
        for frame in open_media(shared_file("media/interview_720p.mp4")).frames():
            builder.add(frame.index, frame.time, detector.detect(frame.image))
    (track,) = select_tracks(builder.finish(), "all")
    assert track.visibility.mean() == 1
