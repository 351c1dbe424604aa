# SPDX-License-Identifier: Apache-2.0
"""The crop: SMIRK's own numbers, scikit-image's own pixels, and every way back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clips import SHARED, portrait
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smirk_core.heads.decode import project
from smirk_core.tracking.crop import CROP_SIZE, CropTransform, crop_transform

FINITE = st.floats(-1e4, 1e4, allow_nan=False)


def _transforms() -> st.SearchStrategy[CropTransform]:
    return st.builds(
        lambda x, y, w, h, scale: crop_transform(np.array([[x, y], [x + w, y + h]]), scale),
        FINITE, FINITE, st.floats(4, 4000), st.floats(4, 4000), st.floats(1.0, 2.0),
    )  # fmt: skip


def test_matrix_of_the_official_code() -> None:
    path = SHARED / "reference" / "smirk_fixtures.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    expected = json.loads(path.read_text())["crop"]
    transform = crop_transform(np.array(expected["landmarks"]), expected["scale"])
    assert np.abs(transform.matrix - expected["matrix"]).max() < 1e-12


def test_worked_numbers() -> None:
    transform = crop_transform(np.array([[100.0, 80], [300, 90], [210, 340], [120, 200]]))
    assert transform.matrix[0, 0] == pytest.approx(223 / 322)
    # Corners of the square of 322 pixels about (200, 210) are the corner pixels of the crop.
    assert transform.to_crop(np.array([[39.0, 49], [361, 371]])) == pytest.approx(np.array([[0.0, 0], [223, 223]]))


def test_the_side_is_cut_to_whole_pixels() -> None:
    side = 223 / crop_transform(np.array([[0.0, 0], [10.5, 11]]), 1.4).matrix[0, 0]
    assert side == pytest.approx(int((10.5 + 11) / 2 * 1.4)) == 15


@pytest.mark.parametrize("size", [CROP_SIZE, 112])
def test_pixels_of_scikit_image(size: int) -> None:
    """Bit for bit, inside, across the border and outside, enlarged and shrunk."""
    transform = pytest.importorskip("skimage.transform")
    image = portrait()[100:400, 50:450]
    noise = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8)
    flat = np.full_like(image, 137)
    for picture, box in [
        (image, [150.2, 60.7, 260.1, 190.3]),
        (noise, [5.0, 5.0, 25.5, 30.25]),
        (noise, [-50.3, -20.0, 120.0, 160.0]),
        (image, [-300.0, 20.0, 900.0, 700.0]),
        (flat, [350.1, 200.2, 460.3, 330.4]),
        (noise, [2000.0, 2000.0, 2100.0, 2100.0]),
    ]:
        crop = crop_transform(np.array(box).reshape(2, 2))
        zoom = np.diag([(size - 1) / 223, (size - 1) / 223, 1.0])
        matrix = transform.AffineTransform(matrix=np.linalg.inv(zoom @ crop.matrix))
        expected = transform.warp(picture, matrix, output_shape=(size, size), preserve_range=True).astype(np.uint8)
        apart = np.abs(crop.apply(picture, size).astype(int) - expected)
        # Where two pixels are alike, a value is whole but for the last bit and may fall to either side.
        assert apart.max() <= 1 and (apart > 0).mean() < 5e-4, box


def test_paste_puts_the_crop_back() -> None:
    image = portrait()
    crop = crop_transform(np.array([[180.0, 60], [270, 170]]), 1.8)
    back = crop.paste(crop.apply(image), 512, 512)
    inside = np.zeros((512, 512), dtype=bool)
    low, high = np.ceil(crop.to_frame(np.array([[0.0, 0], [223, 223]]))).astype(int)
    inside[low[1] : high[1], low[0] : high[0]] = True
    assert np.abs(back[inside].astype(int) - image[inside]).mean() < 3
    ring = np.ones((512, 512), dtype=bool)
    ring[low[1] - 1 : high[1] + 1, low[0] - 1 : high[0] + 1] = False
    assert (back[ring] == 0).all()
    assert (CropTransform(crop.matrix).paste(crop.apply(image)[..., 0], 512, 512).shape) == (512, 512)


@given(_transforms(), arrays(np.float64, (5, 3), elements=FINITE))
def test_points_return(transform: CropTransform, points: np.ndarray) -> None:
    there = transform.to_crop(points)
    assert np.allclose(transform.to_frame(there), points, rtol=1e-9, atol=1e-6)
    homogeneous = transform.matrix @ np.array([*points[0, :2], 1.0])
    assert np.allclose(there[0, :2], homogeneous[:2], rtol=1e-12, atol=1e-9)
    assert there[0, 2] == pytest.approx(points[0, 2] * transform.matrix[0, 0])


CAMERAS = st.tuples(st.floats(1, 30), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)).map(np.array)


@given(_transforms(), CAMERAS, arrays(np.float64, (1, 4, 3), elements=st.floats(-0.2, 0.2)))
def test_both_cameras_see_the_same(transform: CropTransform, camera: np.ndarray, points: np.ndarray) -> None:
    s, tx, ty = camera
    u, v = 112 * (1 + s * (points[..., 0] + tx)), 112 * (1 - s * (points[..., 1] + ty))  # SMIRK, in the crop
    ours = project(points, transform.camera_to_frame(camera)[None])[..., :2]  # a take, in the frame
    assert np.allclose(ours, transform.to_frame(np.stack([u, v], axis=-1)), rtol=1e-9, atol=1e-6)
    assert np.allclose(transform.camera_to_crop(transform.camera_to_frame(camera)), camera, rtol=1e-7, atol=1e-7)


def test_cameras_of_many_frames_at_once() -> None:
    transform = crop_transform(np.array([[10.0, 20], [110, 140]]))
    cameras = np.random.default_rng(0).uniform(1, 2, (4, 5, 3))
    frame = transform.camera_to_frame(cameras)
    assert frame.shape == (4, 5, 3)
    assert np.allclose(frame[2, 3], transform.camera_to_frame(cameras[2, 3]))


@pytest.mark.parametrize("points", [[[5.0, 5.0], [5.0, 5.0]], [[np.nan, 1.0], [2.0, 2.0]], [[0.0, 0.0], [0.3, 0.3]]])
def test_landmarks_without_extent_are_refused(points: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="finite and cover at least a pixel"):
        crop_transform(np.array(points))


def test_a_matrix_that_is_none_is_refused() -> None:
    for matrix in (np.eye(2), np.diag([-1.0, 1, 1]), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="crop matrix"):
            CropTransform(matrix)
