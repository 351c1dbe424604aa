# SPDX-License-Identifier: Apache-2.0
"""The bundled demo clip agrees with its take and with the bundled head; the sheets show that head."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.open_head import OPEN_HEAD_PATH
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.rendering.demo_clip import DEMO_FOLDER, demo_take
from smirk_core.rendering.head_sheets import SHEETS, head_sheet, main
from smirk_core.rendering.video_writer import sound_of
from smirk_core.take import Take, load_take

pytestmark = pytest.mark.skipif(not OPEN_HEAD_PATH.exists(), reason="the open head is not built")
CLIP, TRUTH = DEMO_FOLDER / "demo.mp4", DEMO_FOLDER / "demo.take.npz"
PORTRAIT = Path(__file__).parents[1] / "data" / "face.png"


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def truth() -> Take:
    return load_take(TRUTH)


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    with av.open(str(CLIP)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def test_the_clip_was_rendered_from_the_bundled_head(head: HeadModel, truth: Take) -> None:
    assert truth.info.head_digest == head.digest, "render again: python -m smirk_core.rendering.demo_clip"


def test_the_take_is_reproducible(head: HeadModel, truth: Take) -> None:
    again = demo_take(head)
    assert again.identity == pytest.approx(truth.identity)
    for name, values in truth.raw.items():
        assert again.raw[name] == pytest.approx(values, abs=1e-5), name


def test_clip_and_take_have_the_same_frames_and_size(truth: Take, clip: list[np.ndarray]) -> None:
    assert len(clip) == len(truth)
    assert clip[0].shape == (truth.info.height, truth.info.width, 3)
    assert CLIP.stat().st_size < 600_000


def test_the_performance_is_rich_and_starts_neutral(head: HeadModel, truth: Take) -> None:
    weights = arkit_from_groups(head, truth.raw)
    assert np.abs(weights[0]).max() < 0.05
    strong = {ARKIT_NAMES[k] for k in np.flatnonzero(weights.max(axis=0) > 0.5)}
    assert {"jawOpen", "mouthSmileLeft", "eyeBlinkLeft", "eyeBlinkRight", "browDownLeft", "browInnerUp",
            "mouthPucker"} <= strong  # fmt: skip
    yaw = np.degrees(truth.raw["rotation"][:, 1])
    assert (yaw.min(), yaw.max()) == pytest.approx((-25, 25), abs=0.5)
    # No jumps: nothing but a blink moves more than a quarter of its range in a frame.
    steps = np.abs(np.diff(weights, axis=0)).max(axis=0)
    calm = [k for k, name in enumerate(ARKIT_NAMES) if "Blink" not in name]
    assert steps[calm].max() < 0.25


def test_the_sound_is_loud_where_the_jaw_is_open(truth: Take) -> None:
    parts = [(time, frame.to_ndarray().mean(axis=0), frame.sample_rate) for time, frame in sound_of(CLIP)]
    rate = parts[0][2]
    signal = np.concatenate([np.zeros(round(parts[0][0] * rate)), *[p[1] for p in parts]])
    frame = round(rate / truth.info.rate)
    count = min(len(signal) // frame, len(truth))
    loud = np.sqrt((signal[: count * frame].reshape(count, frame) ** 2).mean(axis=1))
    assert np.corrcoef(loud, truth.raw["jaw"][:count, 0])[0, 1] > 0.85


def test_a_detector_finds_the_faces_where_the_take_says(head: HeadModel, truth: Take, clip: list[np.ndarray]) -> None:
    mediapipe = pytest.importorskip("mediapipe")
    if not hasattr(mediapipe, "solutions") or "mediapipe_478" not in head.landmarks:
        pytest.skip("needs MediaPipe's bundled face mesh and landmarks")
    points = landmark_points(head, decode(head, truth.parameters()).vertices, head.landmarks["mediapipe_478"])
    points = project(points, truth.raw["camera"])[..., :2]
    eyes = np.linalg.norm(points[0, 33] - points[0, 263])
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as detector:
        for number in (0, 37, 62, 87, 125):
            found = detector.process(clip[number]).multi_face_landmarks
            assert found, f"no face in frame {number}"
            size = [truth.info.width, truth.info.height]
            seen = np.array([[p.x, p.y] for p in found[0].landmark]) * size - 0.5
            assert np.linalg.norm(seen - points[number], axis=1).mean() / eyes < 0.08
        assert detector.process(np.asarray(Image.open(PORTRAIT).convert("RGB"))).multi_face_landmarks


@pytest.mark.parametrize("name", ["neutral", "blinks"])
def test_a_sheet_shows_the_head(head: HeadModel, name: str) -> None:
    sheet = head_sheet(head, name, 48)
    columns = {"neutral": 3, "blinks": 10}[name]
    assert sheet.shape[1] == columns * 52 - 4
    cells = [sheet[:48, 52 * k : 52 * k + 48] for k in range(columns)]
    assert all(cell.std() > 10 for cell in cells)
    # Turning the head and closing the lids must show.
    assert np.abs(cells[0].astype(int) - cells[2 if name == "neutral" else 4]).mean() > 2


def test_the_command_names_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-o", str(tmp_path), "--head", str(tmp_path / "gone.npz"), *list(SHEETS)[:1]]) == 2
    assert "gone.npz" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["-o", str(tmp_path), "nonsense"])
    assert stopped.value.code == 2
