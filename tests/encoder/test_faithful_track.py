# SPDX-License-Identifier: Apache-2.0
"""A track with an encoder and without the solve is SMIRK's demo: compared with its steps, done here once more.

The steps are those of the specification (2.5, 3.1, 3.2) with MediaPipe's and scikit-image's own functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formula import REFERENCE, formula_weights
from torch_files import zip_file

from smirk_core.encoder.architecture import PREFIX
from smirk_core.encoder.runtime import Encoder, load_encoder, make_encoder
from smirk_core.errors import AssetError, Cancelled, MediaError, SmirkError
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.heads.library import load_head
from smirk_core.take import Take
from smirk_core.tracking.crop import CropTransform
from smirk_core.tracking.measured import frame_parameters
from smirk_core.tracking.tracker import track, track_all

for needed in ("onnxruntime", "mediapipe", "av"):
    pytest.importorskip(needed)
MODEL = REFERENCE.parent / "media" / "face_landmarker.task"
needs_model = pytest.mark.skipif(not MODEL.is_file(), reason="face_landmarker.task is not here")
OUTPUTS = ("pose_params", "cam", "shape_params", "expression_params", "eyelid_params", "jaw_params")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A file like SMIRK_em1.pt, with weights that see more in pictures than the formula's, and a generator."""
    tensors = {PREFIX + k: 200 * v if v.ndim == 2 else v for k, v in formula_weights().arrays.items()}
    path = tmp_path_factory.mktemp("weights") / "SMIRK_em1.pt"
    path.write_bytes(zip_file({**tensors, "smirk_generator.x": np.ones(3, np.float32)}))
    return path


@pytest.fixture(scope="module")
def encoder(checkpoint) -> Encoder:
    return load_encoder(checkpoint, "cpu")


@pytest.fixture
def detector(monkeypatch) -> None:
    monkeypatch.setenv("SMIRK_FACE_LANDMARKER", str(MODEL))


def demo_landmarks(image: np.ndarray) -> np.ndarray | None:
    """(478, 2) pixels, as the demo finds them (3.1)."""
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=MODEL.read_bytes()), output_face_blendshapes=True,
        output_facial_transformation_matrixes=True, num_faces=1, min_face_detection_confidence=0.1,
        min_face_presence_confidence=0.1,
    )  # fmt: skip
    with vision.FaceLandmarker.create_from_options(options) as task:
        found = task.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)).face_landmarks
    height, width = image.shape[:2]
    return np.array([(p.x * width, p.y * height) for p in found[0]]) if found else None


def demo_crop(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, Any]:
    """(224, 224, 3) uint8 and scikit-image's transform to it (3.2)."""
    transform = pytest.importorskip("skimage.transform")
    (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
    size = int(((right - left) + (bottom - top)) / 2 * 1.4)
    cx, cy = (left + right) / 2, (top + bottom) / 2
    corners = np.array([[cx - size / 2, cy - size / 2], [cx - size / 2, cy + size / 2], [cx + size / 2, cy - size / 2]])
    found = transform.estimate_transform("similarity", corners, np.array([[0, 0], [0, 223], [223, 0]]))
    crop = transform.warp(image, found.inverse, output_shape=(224, 224), preserve_range=True)
    return crop.astype(np.uint8), found


@dataclass
class Listening:
    """An engine that keeps the crops it was given."""

    inner: Any
    crops: list[np.ndarray] = field(default_factory=list)
    name: str = "listening"

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return self.inner.run(images)

    def encode(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        self.crops += list(crops)
        return self.inner.encode(crops)


@needs_model
def test_a_photo_is_what_the_demo_makes_of_it(photo, encoder, flame_file, detector):
    from PIL import Image

    image = np.asarray(Image.open(photo).convert("RGB"))
    head = load_head(flame_file)
    landmarks = demo_landmarks(image)
    assert landmarks is not None
    crop, transform = demo_crop(image, landmarks)
    images = np.float32(crop)[None].transpose(0, 3, 1, 2) / np.float32(255)
    expected = encoder.engine.run(images)

    engine = Listening(encoder.engine)
    take = track(photo, head=head, encoder=replace(encoder, engine=engine), solve=False)
    assert len(take) == 1 and len(engine.crops) == 1
    np.testing.assert_array_equal(engine.crops[0], crop)  # bit for bit
    np.testing.assert_allclose(take.network["crop"][0], transform.params, atol=1e-9)
    for name in OUTPUTS:
        np.testing.assert_array_equal(take.network[name], expected[name])

    raw = take.raw
    np.testing.assert_array_equal(take.identity, expected["shape_params"][0])
    np.testing.assert_array_equal(raw["expression"], expected["expression_params"])
    np.testing.assert_array_equal(raw["eyelids"], expected["eyelid_params"])
    np.testing.assert_array_equal(raw["jaw"], expected["jaw_params"])
    np.testing.assert_array_equal(raw["rotation"], expected["pose_params"])
    assert not raw["neck"].any() and not raw["eyes"].any() and raw["visibility"].all()
    assert raw["expression"].shape == (1, head.expression_size) and take.identity.shape == (head.identity_size,)

    # The camera of the take puts the head where the demo does (2.5): crop camera, then back through the crop.
    points = landmark_points(head, decode(head, take.parameters()).vertices, head.landmarks["mediapipe_105"])
    s, tx, ty = expected["cam"][0].astype(np.float64)
    in_crop = np.stack([112 * (1 + s * (points[0, :, 0] + tx)), 112 * (1 - s * (points[0, :, 1] + ty))], axis=-1)
    np.testing.assert_allclose(project(points, raw["camera"])[0, :, :2], transform.inverse(in_crop), atol=1e-3)

    info = take.info
    assert (info.encoder, info.encoder_digest) == ("SMIRK_em1.pt", encoder.digest) and info.solve == {}
    assert (info.head, info.head_digest) == (head.name, head.digest)


@pytest.fixture(scope="module")
def clip_with_a_gap(tmp_path_factory, photo) -> Path:
    """Six frames of the drifting portrait, without loss; in the third and fourth nobody is to be seen."""
    import av
    from PIL import Image

    portrait = np.asarray(Image.open(photo).convert("RGB"))[:400, 50:450]
    path = tmp_path_factory.mktemp("gap") / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "bgr0"
        for i in range(6):
            shown = np.ascontiguousarray(portrait[4 * i : 4 * i + 320, 3 * i : 3 * i + 320])
            frame = av.VideoFrame.from_ndarray(np.zeros_like(shown) if i in (2, 3) else shown, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@needs_model
def test_every_frame_of_a_clip_stands_alone(clip_with_a_gap, encoder, flame_file, detector, tmp_path):
    from smirk_core.tracking.media import open_media

    head = load_head(flame_file)
    take = track(clip_with_a_gap, head=head, encoder=encoder, solve=False)
    frames = [f.image for f in open_media(clip_with_a_gap).frames(0, None, 1)]
    seen = [0, 1, 4, 5]
    assert len(take) == 6 and take.raw["visibility"][:, 0].tolist() == [1, 1, 0, 0, 1, 1]
    expected = []
    for i in seen:
        landmarks = demo_landmarks(frames[i])
        assert landmarks is not None
        expected.append(encoder.encode(demo_crop(frames[i], landmarks)[0][None]))
    for name in OUTPUTS:
        truth = np.concatenate([e[name] for e in expected])
        np.testing.assert_allclose(take.network[name], truth, atol=1e-4)
    assert np.abs(np.diff(take.network["expression_params"], axis=0)).max() > 3e-3
    np.testing.assert_array_equal(take.network["times"], take.times[seen])
    np.testing.assert_array_equal(take.raw["jaw"][seen], take.network["jaw_params"])
    # The gap is bridged in a straight line, and one identity stands for the clip.
    step = (take.raw["expression"][4] - take.raw["expression"][1]) / 3
    np.testing.assert_allclose(take.raw["expression"][2], take.raw["expression"][1] + step, atol=1e-5)
    np.testing.assert_allclose(take.identity, np.median(take.network["shape_params"], axis=0), atol=1e-7)

    back = Take.load(take.save(tmp_path / "t.take.npz"))
    assert set(back.network) == {"times", "crop", *OUTPUTS}
    for name, values in take.network.items():
        np.testing.assert_array_equal(back.network[name], values)
        assert back.network[name].dtype == values.dtype

    # What SMIRK draws has another shape in every frame; it can be had from the take.
    alone = frame_parameters(back, head)
    assert alone["identity"].shape == (4, 300)
    vertices = decode(head, alone).vertices
    own = decode(head, {k: v[1:2] for k, v in alone.items()}).vertices
    np.testing.assert_allclose(vertices[1], own[0], atol=1e-6)
    assert np.abs(np.diff(decode(head, {"identity": alone["identity"]}).vertices, axis=0)).max() > 1e-5


@needs_model
def test_the_command_line(photo, checkpoint, flame_file, detector, tmp_path, capfd):
    from smirk_core.cli import main

    out = tmp_path / "photo.take.npz"
    arguments = ["track", str(photo), "--encoder", str(checkpoint), "--head", str(flame_file), "--no-solve"]
    assert main([*arguments, "-o", str(out)]) == 0, capfd.readouterr().err
    take = Take.load(out)
    expected = track(photo, head=load_head(flame_file), encoder=checkpoint, solve=False)
    for name, values in expected.raw.items():
        np.testing.assert_array_equal(take.raw[name], values)
    assert take.info.encoder == "SMIRK_em1.pt" and len(take.info.encoder_digest) == 64

    for wrong, says in (
        (["--head", "open"], "trained with the head 'flame'"),
        (["--neutral-frame", "0"], "neutral frame is of use to the solve only"),
        (["--device", "directml"], "directml"),
    ):
        assert main([*arguments, *wrong, "-o", str(tmp_path / "no.take.npz")]) == 2
        assert says in capfd.readouterr().err
    assert not (tmp_path / "no.take.npz").exists()


def test_a_workers_job_takes_encoder_and_device(checkpoint):
    from smirk_core.commands.options import TrackOptions

    options = TrackOptions.from_job({"encoder": str(checkpoint), "device": "cuda", "solve": False})
    assert (options.encoder, options.device, options.solve) == (str(checkpoint), "cuda", False)
    for job, says in (
        ({"encoder": "nowhere.pt"}, "no encoder file"),
        ({"encoder": "bundle"}, "is not an encoder"),
        ({"device": "cuda"}, "Without an encoder nothing runs on cuda"),
        ({"encoder": str(checkpoint), "device": "abacus"}, "Unknown device"),
    ):
        with pytest.raises(SmirkError, match=says):
            TrackOptions.from_job(job)


@needs_model
def test_faces_without_the_landmarker_model_say_so(photo, encoder, flame_file, monkeypatch, tmp_path):
    """The demo's detector needs a model file; where only the older one is there, the take says that it differs."""
    monkeypatch.setenv("SMIRK_FACE_LANDMARKER", str(tmp_path / "nowhere.task"))
    try:
        take = track(photo, head=load_head(flame_file), encoder=encoder, solve=False)
    except AssetError as error:  # MediaPipe of Python 3.13 has no other detector
        assert "face_landmarker.task" in str(error) or "facemesh" in str(error)
    else:
        assert "facemesh" in take.info.notes


@needs_model
def test_a_picture_without_a_face(encoder, flame_file, detector, tmp_path):
    from PIL import Image

    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    with pytest.raises(MediaError, match="No face was found"):
        track(tmp_path / "black.png", head=load_head(flame_file), encoder=encoder, solve=False)


@needs_model
def test_several_faces_each_get_their_own_word(photo, encoder, flame_file, detector, tmp_path):
    from PIL import Image

    image = np.asarray(Image.open(photo).convert("RGB"))[:300, 70:370]
    Image.fromarray(np.concatenate([image, image[:, ::-1]], axis=1)).save(tmp_path / "two.png")
    takes = track_all(tmp_path / "two.png", head=load_head(flame_file), encoder=encoder, solve=False, faces="all")
    assert len(takes) == 2
    centres = [CropTransform(t.network["crop"][0]).to_frame(np.array([112.0, 112.0]))[0] for t in takes]
    assert abs(centres[0] - centres[1]) > 200
    assert not np.allclose(takes[0].network["expression_params"], takes[1].network["expression_params"])


@needs_model
def test_a_newer_flame_is_said_to_mean_other_expressions(photo, encoder, flame_file, detector):
    head = replace(load_head(flame_file), name="flame-2023")
    assert "trained with FLAME 2020" in track(photo, head=head, encoder=encoder, solve=False).info.notes
    assert not track(photo, head=load_head(flame_file), encoder=encoder, solve=False).info.notes


@needs_model
def test_a_photo_with_the_solve_lies_on_its_landmarks(photo, flame_file, detector):
    """Beside an encoder that always says much the same, with a camera that is wrong, the head still finds the face."""
    from PIL import Image

    landmarks = demo_landmarks(np.asarray(Image.open(photo).convert("RGB")))
    assert landmarks is not None
    head, network = load_head(flame_file), make_encoder(formula_weights(), "cpu")
    take = track(photo, head=head, encoder=network, detector="landmarker")
    points = landmark_points(head, decode(head, take.parameters()).vertices, head.landmarks["mediapipe_105"])
    away = project(points, take.raw["camera"])[0, :, :2] - landmarks[list(MEDIAPIPE_105)]
    eyes = np.linalg.norm(landmarks[33] - landmarks[263])
    assert np.linalg.norm(away, axis=1).mean() < 0.06 * eyes
    assert (take.info.encoder, take.info.solve["encoder_expression"]) == ("formula", 0.5)
    assert take.network["cam"].shape == (1, 3)


@needs_model
@pytest.mark.parametrize("solve", [False, True])
def test_a_cancelled_track_keeps_what_was_encoded(clip_with_a_gap, encoder, flame_file, detector, solve):
    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "Reading faces" and done == 2:
            raise Cancelled("enough")

    take = track(clip_with_a_gap, head=load_head(flame_file), encoder=encoder, solve=solve, progress=stop)
    assert len(take) == 2 and "cancelled after 2" in take.info.notes
    assert take.network["cam"].shape == (2, 3)


@needs_model
def test_an_engine_that_fails_ends_the_track(clip_with_a_gap, encoder, flame_file, detector):
    class Broken(Listening):
        def encode(self, crops: np.ndarray) -> dict[str, np.ndarray]:
            raise AssetError("the card is gone")

    with pytest.raises(AssetError, match="the card is gone"):
        track(clip_with_a_gap, head=load_head(flame_file), encoder=replace(encoder, engine=Broken(None)), solve=False)
