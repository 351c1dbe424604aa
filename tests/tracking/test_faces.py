# SPDX-License-Identifier: Apache-2.0
"""Faces by MediaPipe, with whichever back ends this Python has: where they are, and that hard ones are found."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import MODEL, portrait, shared_file
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from smirk_core.errors import AssetError
from smirk_core.tracking import face_graphs
from smirk_core.tracking.face_windows import Window, landmark_box, quarter_turned, search_windows, turned_back
from smirk_core.tracking.faces import SearchingDetector, create_detector
from smirk_core.tracking.media import open_media

HAS_FACEMESH = tuple(int(p) for p in importlib.metadata.version("mediapipe").split(".")[:3]) < (0, 10, 30)
BACKENDS = ["facemesh", "landmarker"]


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "facemesh" and not HAS_FACEMESH:
        pytest.skip("this mediapipe has no FaceMesh")
    if request.param == "landmarker" and not MODEL.exists():
        pytest.skip("face_landmarker.task is not here")
    return request.param


@pytest.fixture(scope="module")
def still(backend: str) -> Iterator[SearchingDetector]:
    """A detector of photos."""
    with create_detector(backend, video=False, model=MODEL if backend == "landmarker" else None) as detector:
        yield detector


@pytest.fixture(scope="module")
def astronaut(still: SearchingDetector) -> tuple[np.ndarray, np.ndarray]:
    """A portrait and its landmarks."""
    image = portrait()
    (face,) = still.detect(image)
    return image, face


def eye_distance(face: np.ndarray) -> float:
    return float(np.linalg.norm(face[33, :2] - face[263, :2]))


def off(face: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance of landmarks as a share of the distance of the eyes."""
    return float(np.linalg.norm(face[:, :2] - expected[:, :2], axis=1).mean()) / eye_distance(expected)


def on_canvas(image: np.ndarray, width: int, height: int, x: int, y: int) -> np.ndarray:
    canvas = np.full((height, width, 3), 90, dtype=np.uint8)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas


def test_landmarks_lie_where_the_face_is(astronaut: tuple[np.ndarray, np.ndarray]) -> None:
    _, face = astronaut
    assert face.shape == (478, 3) and face.dtype == np.float32
    # Read off the enlarged picture by eye: tip of the nose, corners of the mouth, pupils.
    places = {4: (222, 126), 61: (203, 138.5), 291: (243.5, 140.5), 468: (202.5, 100.5), 473: (246, 103)}
    for index, place in places.items():
        assert np.linalg.norm(face[index, :2] - place) < 5, index
    assert face[1, 2] < face[234, 2] and face[1, 2] < face[454, 2]  # the nose is nearer than the ears


def test_the_rendered_head_is_a_face(still: SearchingDetector) -> None:
    path = Path(__file__).parents[1] / "data" / "face.png"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    image = next(iter(open_media(path).frames())).image
    (face,) = still.detect(image)
    left, top, right, bottom = landmark_box(face) / image.shape[0]
    assert 0.2 < left < 0.35 < 0.65 < right < 0.85 and 0.15 < top < 0.35 < 0.7 < bottom < 0.9


def test_the_same_photo_gives_the_same_landmarks(still: SearchingDetector, astronaut: tuple) -> None:
    image, face = astronaut
    still.detect(np.ascontiguousarray(image[:, ::-1]))
    assert (still.detect(image)[0] == face).all()


@pytest.mark.parametrize("degrees", [30, 90, 135, 180, -90])
def test_tilted_faces(still: SearchingDetector, astronaut: tuple, degrees: int) -> None:
    image, face = astronaut
    turned = np.asarray(Image.fromarray(image).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)))
    c, s, middle = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 255.5
    expected = (face[:, :2] - middle) @ np.array([[c, s], [-s, c]]) + middle
    (found,) = still.detect(turned)
    assert off(found, expected) < 0.03


def test_a_small_face_in_a_large_frame(still: SearchingDetector, astronaut: tuple) -> None:
    image, face = astronaut
    half = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BOX))
    (found,) = still.detect(on_canvas(half, 1920, 1080, 1500, 700))
    assert off(found, (face - 0.5) / 2 + [1500, 700, 0]) < 0.03


def test_a_face_that_fills_the_frame(still: SearchingDetector, astronaut: tuple) -> None:
    image, face = astronaut
    left, top, right, bottom = (int(v) for v in landmark_box(face))
    (found,) = still.detect(image[top:bottom, left:right])
    assert off(found, face - [left, top, 0]) < 0.04


def test_several_faces_the_largest_first(backend: str, astronaut: tuple) -> None:
    image, face = astronaut
    image, face = image[:300, 100:400], face - [100, 0, 0]
    smaller = np.asarray(Image.fromarray(image).resize((225, 225), Image.Resampling.LANCZOS))
    both = on_canvas(image, 540, 300, 0, 0)
    both[:225, 310:535] = smaller
    model = MODEL if backend == "landmarker" else None
    with create_detector(backend, max_faces=4, video=False, model=model) as detector:
        found = detector.detect(both)
    assert len(found) == 2
    assert off(found[0], face) < 0.03 and off(found[1], face * 0.75 + [310, 0, 0]) < 0.04
    with create_detector(backend, max_faces=1, video=False, model=model) as detector:
        (one,) = detector.detect(both)
    assert off(one, face) < 0.03
    with create_detector(backend, max_faces=4, video=True, model=model) as detector:
        assert [len(detector.detect(both)) for _ in range(4)] == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ["chelsea", "coffee", "brick"])
def test_pictures_without_a_face(still: SearchingDetector, name: str) -> None:
    image = getattr(pytest.importorskip("skimage.data"), name)()
    image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    assert still.detect(image) == []


@pytest.mark.parametrize("size", [(16, 16), (17, 300), (301, 33)])
def test_small_and_odd_frames_do_no_harm(backend: str, size: tuple[int, int]) -> None:
    model = MODEL if backend == "landmarker" else None
    with create_detector(backend, model=model) as detector:
        assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


def test_what_is_no_image_is_refused(still: SearchingDetector) -> None:
    for wrong in (np.zeros((40, 40), np.uint8), np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 3), np.float32)):
        with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
            still.detect(wrong)
    with pytest.raises(ValueError, match="max_faces"):
        create_detector(max_faces=0)


# Clips ----------------------------------------------------------------------------------------------------------------


def _pan(image: np.ndarray, face: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames of a camera that moves over a picture, and where the face is in them."""
    for i in range(count):
        x, y = 30 + 6 * i, 20 + 2 * i
        yield on_canvas(image[:300, 100:400], 640, 480, x, y), face + np.array([x - 100, y, 0])


@pytest.mark.parametrize("quarters", [0, 1, 2])
def test_a_moving_face_is_followed_without_lag(backend: str, astronaut: tuple, quarters: int) -> None:
    image, face = astronaut
    model = MODEL if backend == "landmarker" else None
    with create_detector(backend, model=model) as detector:
        shifts, errors = [], []
        for frame, expected in _pan(image, face, 12):
            (found,) = detector.detect(quarter_turned(frame, quarters))
            found = turned_back(found, quarters, frame.shape[1], frame.shape[0])
            errors.append(off(found, expected))
            shifts.append((found - expected)[:, :2].mean(axis=0))
    assert max(errors) < 0.04
    assert np.linalg.norm(np.mean(shifts, axis=0)) < 0.02 * eye_distance(face)  # a filter would trail the motion


def test_a_face_that_shrinks_leaves_and_returns(backend: str, astronaut: tuple) -> None:
    image, face = astronaut
    model = MODEL if backend == "landmarker" else None
    sizes = [*np.linspace(512, 200, 14).astype(int), *([0] * 5), *([200] * 4)]
    with create_detector(backend, model=model) as detector:
        seen = []
        for size in sizes:
            frame = np.full((720, 1280, 3), 90, dtype=np.uint8)
            if size:
                small = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
                frame = on_canvas(small, 1280, 720, 700, 150)
            found = detector.detect(frame)
            seen.append(len(found))
            if found and size:
                assert off(found[0], (face + 0.5) * (size / 512) - 0.5 + [700, 150, 0]) < 0.06
    assert seen[:14] == [1] * 14 and seen[14:19] == [0] * 5 and seen[-1] == 1


def test_real_footage_is_followed_in_every_frame(backend: str) -> None:
    model = MODEL if backend == "landmarker" else None
    path = shared_file("media/grid_bbaf2n.mpg")
    with create_detector(backend, model=model) as detector:
        assert detector.name.startswith(backend)
        faces = [detector.detect(frame.image) for frame in open_media(path).frames(0, 30)]
    assert all(len(f) == 1 for f in faces)
    steps = np.linalg.norm(np.diff(np.array([f[0][:, :2] for f in faces]), axis=0), axis=-1).mean(axis=1)
    assert np.median(steps) < 0.03 * eye_distance(faces[0][0])


# Windows --------------------------------------------------------------------------------------------------------------

WINDOWS = st.builds(Window, st.floats(-50, 500), st.floats(-50, 500), st.floats(20, 2000), st.floats(-4, 4))


@given(WINDOWS, st.floats(0, 447), st.floats(0, 447))
def test_windows_map_back(window: Window, u: float, v: float) -> None:
    back = window.back(np.array([[u, v, 7.0]]))[0]
    assert np.allclose(window.matrix @ [back[0], back[1], 1.0], [u, v], atol=1e-6)
    assert back[2] == pytest.approx(7.0 * window.side / 448)


@settings(deadline=None, max_examples=20)
@given(st.floats(100, 200), st.floats(100, 200), st.floats(60, 1500), st.floats(-3.2, 3.2))
def test_windows_show_what_they_say(x: float, y: float, side: float, roll: float) -> None:
    """A soft spot in the frame lies in the window's picture where the matrix puts it, shrunk or enlarged."""
    rows, columns = np.mgrid[0:300, 0:300]
    radius = max(1.5, side / 40)
    spot = 255 * np.exp(-((columns - 150) ** 2 + (rows - 140) ** 2) / (2 * radius**2))
    window = Window(x, y, side, roll)
    place = window.matrix @ [150, 140, 1]
    if not (90 < place[0] < 357 and 90 < place[1] < 357):
        return
    cut = window.cut(np.repeat(spot.astype(np.uint8)[..., None], 3, axis=2))[..., 0].astype(float)
    cut[cut < 60] = 0
    v, u = np.mgrid[0:448, 0:448]
    assert np.allclose([(cut * u).sum() / cut.sum(), (cut * v).sum() / cut.sum()], place, atol=0.7)


@given(st.integers(0, 3), st.integers(0, 6), st.integers(0, 4))
def test_quarter_turns_map_back(quarters: int, column: int, row: int) -> None:
    image = np.zeros((5, 7, 3), np.uint8)
    image[row, column] = 255
    (v,), (u,) = np.nonzero(quarter_turned(image, quarters)[..., 0])
    assert (turned_back(np.array([[u, v, 3]]), quarters, 7, 5)[0] == [column, row, 3]).all()


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (480, 854), (100, 90)])
def test_search_windows_cover_the_frame(width: int, height: int) -> None:
    windows = list(search_windows(width, height))
    for side in {w.side for w in windows if w.roll == 0}:
        covered = np.zeros((height, width), bool)
        for w in (w for w in windows if w.side == side):
            low_x, low_y = max(int(w.x - side / 2), 0), max(int(w.y - side / 2), 0)
            covered[low_y : int(w.y + side / 2) + 1, low_x : int(w.x + side / 2) + 1] = True
        assert covered.all(), side


# Assets and manners ---------------------------------------------------------------------------------------------------


def test_a_missing_model_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssetError, match=r"storage\.googleapis\.com.*float16/1/face_landmarker\.task"):
        create_detector("landmarker", model=tmp_path / "none.task")
    monkeypatch.setenv("SMIRK_FACE_LANDMARKER", str(tmp_path / "other.task"))
    with pytest.raises(AssetError, match=r"other\.task does not exist"):
        create_detector("landmarker")


def test_a_wrong_model_is_told_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "face_landmarker.task").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    monkeypatch.setenv("SMIRK_FACE_LANDMARKER", str(tmp_path / "face_landmarker.task"))
    with pytest.raises(AssetError, match="is not the face model that is needed"):
        create_detector("landmarker")


@pytest.mark.skipif(not MODEL.exists(), reason="face_landmarker.task is not here")
def test_the_model_is_found_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMIRK_FACE_LANDMARKER", raising=False)
    monkeypatch.setattr(face_graphs, "user_data_folder", lambda: tmp_path)
    (tmp_path / "face_landmarker.task").write_bytes(MODEL.read_bytes())
    assert face_graphs.find_face_landmarker() == tmp_path / "face_landmarker.task"


@pytest.mark.parametrize("version", ["0.10.35", "1.2.2"])
def test_versions_that_report_home_are_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    with pytest.raises(AssetError, match="reports its use to its maker"):
        create_detector()


def test_without_mediapipe_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(AssetError, match="MediaPipe is not installed"):
        create_detector()


def test_unknown_back_end() -> None:
    with pytest.raises(AssetError, match="no face detector 'dlib'"):
        create_detector("dlib")


def test_mediapipe_is_imported_only_when_used_and_says_nothing(backend: str) -> None:
    """In a process of its own: no import before the first detector, not a word on either stream, a clean end."""
    script = f"""
import sys
import numpy as np
import smirk_core.tracking.tracker
assert "mediapipe" not in sys.modules and "cv2" not in sys.modules
from smirk_core.tracking.faces import create_detector
with create_detector({backend!r}, model={str(MODEL) if backend == "landmarker" else None!r}) as detector:
    detector.detect(np.zeros((64, 64, 3), np.uint8))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
