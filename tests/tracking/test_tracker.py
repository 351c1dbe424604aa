# SPDX-License-Identifier: Apache-2.0
"""From media to takes, on real photographs and footage: the whole way, stopped half way, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from clips import portrait, shared_file, write_clip
from PIL import Image

import smirk_core
from smirk_core.encoder.runtime import usual_encoder
from smirk_core.errors import AssetError, Cancelled, MediaError, TakeError
from smirk_core.heads.open_head import OPEN_HEAD_PATH
from smirk_core.take import Take
from smirk_core.tracking.tracker import read_faces, track, track_all

pytestmark = pytest.mark.usefixtures("detector")
needs_head = pytest.mark.skipif(not OPEN_HEAD_PATH.exists(), reason="the open head is not built")


def _portrait_clip(path: Path, count: int, show: Callable[[int], bool] = lambda i: True, **more: object) -> Path:
    """A camera moving over the portrait; frames for which ``show`` is false are empty."""
    image = portrait()

    def picture(i: int) -> np.ndarray:
        return image[i : i + 256, 80 + i : 336 + i] if show(i) else np.full((256, 256, 3), 90, np.uint8)

    return write_clip(path, "libx264", count=count, width=256, height=256, picture=picture, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames, the face gone in 8 of them."""
    return _portrait_clip(tmp_path_factory.mktemp("clip") / "gap.mp4", 24, lambda i: not 8 <= i < 16)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "portrait.png"
    Image.fromarray(portrait()).save(path)
    return path


class Stages:
    """A progress callback that remembers, and may raise at a count of frames read."""

    def __init__(self, error: type[BaseException] | None = None, at: int = 0, again: bool = False) -> None:
        self.calls: list[tuple[str, int, int | None]] = []
        self._error, self._at, self._again = error, at, again

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.calls.append((stage, done, total))
        if self._error is not None and (stage == "Reading faces" and done == self._at):
            raise self._error("stop")
        if self._error is not None and self._again and stage == "Solving":
            raise self._error("stop again")


def test_reading_marks_frames_without_a_face(clip: Path) -> None:
    progress = Stages()
    reading = read_faces(clip, progress=progress)
    (face,) = reading.tracks
    assert reading.frames == 24 and reading.notes == () and not reading.stopped
    assert [bool(v) for v in face.visibility] == [not 8 <= i < 16 for i in range(24)]
    assert face.times == pytest.approx(np.arange(24) / 25, abs=1e-3)
    assert (face.frame_indices == np.arange(24)).all()
    assert progress.calls[0] == ("Reading faces", 0, 24) and progress.calls[-1] == ("Reading faces", 24, 24)
    # The camera moves one pixel a frame to the lower right, so the face moves to the upper left.
    centre = face.landmarks[:8, :, :2].mean(axis=1)
    assert np.allclose(np.diff(centre, axis=0).mean(axis=0), [-1, -1], atol=0.25)


def test_a_range_keeps_source_numbers_and_times(clip: Path) -> None:
    (face,) = read_faces(clip, start=2, end=20, step=3).tracks
    assert face.frame_indices.tolist() == [2, 5, 8, 11, 14, 17]
    assert face.times == pytest.approx(np.array([2, 5, 8, 11, 14, 17]) / 25, abs=1e-3)
    assert face.visibility.tolist() == [1, 1, 0, 0, 0, 1]


@needs_head
def test_a_clip_becomes_a_take(clip: Path, tmp_path: Path) -> None:
    progress = Stages()
    take = track(clip, progress=progress)
    assert isinstance(take, Take) and len(take) == 24
    info = take.info
    assert (info.source, info.kind, info.width, info.height, info.rate) == (str(clip), "video", 256, 256, 25.0)
    usual = usual_encoder(smirk_core.load_head())  # ours, where an engine for it is installed
    assert (info.encoder, info.face, info.start, info.rotation, info.notes) == (usual, 0, 0.0, 0, "")
    assert bool(take.network) == (usual == "bundled")
    assert info.head == smirk_core.load_head().name and info.head_digest == smirk_core.load_head().digest
    assert info.solve and info.filters == () and smirk_core.__version__ in info.software
    json.dumps(asdict(info))
    assert set(take.raw) >= {"expression", "eyelids", "jaw", "rotation", "neck", "eyes", "camera", "confidence"}
    assert take.raw["visibility"][:, 0].tolist() == [float(not 8 <= i < 16) for i in range(24)]
    assert all(np.isfinite(values).all() for values in take.raw.values())
    # Where the face is away, the camera goes on without a jump.
    steps = np.linalg.norm(np.diff(take.raw["camera"][:, 1:], axis=0), axis=1)
    assert steps.max() < 8
    stages = [stage for stage, _, _ in progress.calls]
    assert stages.index("Solving") > 0 and set(stages) == {"Reading faces", "Solving"}
    assert len(Take.load(take.save(tmp_path / "a.take.npz"))) == 24


@needs_head
def test_a_photo_is_one_frame_at_time_zero(photo: Path) -> None:
    take = smirk_core.track(photo)
    assert len(take) == 1 and take.times[0] == 0 and take.info.kind == "photo" and take.info.rate == 0
    # The woman smiles, and looks at the camera.
    smile = [i for i, name in enumerate(smirk_core.load_head().expression_names) if name.startswith("mouthSmile")]
    assert take.raw["expression"][0, smile].min() > 0.15
    assert np.abs(take.raw["rotation"][0]).max() < 0.6


@needs_head
def test_a_given_identity_is_kept(photo: Path) -> None:
    known = np.linspace(-1, 1, 20)
    take = track(photo, identity=known)
    assert take.identity[:20] == pytest.approx(known, abs=1e-6) and not take.identity[20:].any()
    json.dumps(asdict(take.info))
    for wrong in (np.zeros(10_000), np.zeros((2, 2)), [np.nan]):
        with pytest.raises(TakeError, match="identity"):
            track(photo, identity=wrong)


@needs_head
def test_without_solve_frames_are_not_smoothed(clip: Path) -> None:
    smooth, alone = track(clip, end=8), track(clip, end=8, solve=False)
    assert alone.info.solve == {} and smooth.info.solve
    assert (
        np.abs(np.diff(alone.raw["expression"], 2, axis=0)).sum()
        > np.abs(np.diff(smooth.raw["expression"], 2, axis=0)).sum()
    )


@needs_head
def test_filters_are_layers_over_the_raw_take(clip: Path) -> None:
    take = track(clip, end=8, filters=[{"kind": "savgol", "window": 5}])
    assert [layer["kind"] for layer in take.info.filters] == ["savgol"]
    assert np.abs(take.raw["rotation"] - take.filtered["rotation"]).max() > 0


@needs_head
def test_variable_frame_rate_reaches_the_take(tmp_path: Path) -> None:
    times = [0.0, 0.03, 0.1, 0.14, 0.3, 0.31]
    take = track(_portrait_clip(tmp_path / "vfr.mkv", 6, times=times))
    assert take.times == pytest.approx(times, abs=1.5e-3)


@needs_head
def test_two_people_are_two_takes(tmp_path: Path) -> None:
    other = np.asarray(Image.open(shared_file("media/photo_256.png")).convert("RGB"))
    image = portrait()

    def picture(i: int) -> np.ndarray:
        return np.concatenate([other, image[i : i + 256, 80 + i : 336 + i]], axis=1)

    path = write_clip(tmp_path / "pair.mp4", "libx264", count=4, width=512, height=256, picture=picture)
    takes = track_all(path, faces="all")
    assert [t.info.face for t in takes] == [0, 1]  # the left face is the larger one
    left, right = (float(t.raw["camera"][:, 1].mean()) for t in takes)
    assert left < 256 < right
    (largest,) = track_all(path, faces="1", end=2)
    assert largest.info.face == 0


# Stopping -------------------------------------------------------------------------------------------------------------


@needs_head
@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_what_was_read_before_a_stop_is_solved(clip: Path, error: type[BaseException]) -> None:
    take = track(clip, progress=Stages(error, at=5))
    assert len(take) == 5 and take.info.notes == "cancelled after 5 of 24 frames"
    assert take.raw["visibility"].all()


@needs_head
def test_a_callback_that_keeps_saying_stop_does_not_lose_what_was_read(clip: Path) -> None:
    assert len(track(clip, progress=Stages(Cancelled, at=5, again=True))) == 5


@needs_head
def test_a_second_interrupt_ends_it(clip: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        track(clip, progress=Stages(KeyboardInterrupt, at=5, again=True))


@needs_head
def test_a_stop_while_solving_ends_it(clip: Path) -> None:
    with pytest.raises(Cancelled):
        track(clip, progress=Stages(Cancelled, at=-1, again=True))


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_a_stop_before_any_face_ends_it(clip: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        read_faces(clip, start=8, progress=Stages(error, at=4))


# Refusing -------------------------------------------------------------------------------------------------------------


def test_no_face_is_one_clear_line(tmp_path: Path) -> None:
    path = _portrait_clip(tmp_path / "empty.mp4", 3, lambda i: False)
    with pytest.raises(MediaError, match=r"No face was found in any of the 3 frames of .*empty\.mp4\.$"):
        read_faces(path)
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    with pytest.raises(MediaError, match=r"No face was found in the picture of .*black\.png\.$"):
        read_faces(tmp_path / "black.png")


def test_a_truncated_clip_is_a_partial_take_that_says_so(tmp_path: Path) -> None:
    path = _portrait_clip(tmp_path / "cut.mp4", 20, container_options={"movflags": "faststart"}, options={"g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    reading = read_faces(path)
    assert 6 < reading.frames < 16 and len(reading.tracks) == 1
    assert "ends early" in reading.notes[0] and f"{reading.frames} of 20" in reading.notes[0]


@needs_head
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"faces": "most"}, MediaError, "Faces is"),
        ({"encoder": "nowhere.pt"}, AssetError, "no encoder file"),
        ({"detector": "dlib"}, AssetError, "no face detector"),
        ({"head": "nowhere.npz"}, AssetError, "nowhere.npz"),
        ({"start": 30}, MediaError, "no frame 30"),
        ({"end": 0}, MediaError, "holds no frame"),
        ({"neutral_frame": 40}, MediaError, "not among the frames"),
        ({"neutral_frame": 12}, MediaError, "not seen in the neutral frame"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    clip: Path, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        track(clip, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@needs_head
def test_the_neutral_frame_is_a_frame_of_the_source(clip: Path) -> None:
    take = track(clip, start=16, end=24, step=2, neutral_frame=20)
    assert take.info.solve["neutral_frame"] == 2  # its position among the frames read


def test_a_filter_that_does_not_fit_costs_the_filter_and_not_the_tracking(detector, photo):
    from smirk_core.refine.layers import UNFILTERED

    take = track(photo, filters=[{"kind": "neutral", "time": 99.0}])
    assert UNFILTERED in take.info.notes and take.info.filters == ()
    assert all(take.filtered[name] is values for name, values in take.raw.items())


def test_a_head_without_sides_is_not_mirrored_and_nothing_is_read(toy_head):
    names = tuple(f"exp_{i:03d}" for i in range(toy_head.expression_size))
    with pytest.raises(TakeError, match="cannot be mirrored"):
        track("no such file.mp4", head=replace(toy_head, expression_names=names), filters=[{"kind": "mirror"}])
