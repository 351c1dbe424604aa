# SPDX-License-Identifier: Apache-2.0
"""The camera's faults: JPEG against Pillow's, blur against its variance, no picture touches another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from training.data.camera_noise import blur, develop, jpeg  # noqa: E402
from training.data.dice import Dice  # noqa: E402


def picture(size: int = 48, seed: int = 0):
    """(1, 3, size, size) soft shapes with some detail."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    values = np.asarray(coarse, np.float32) + rng.normal(0, 6, (size, size, 3))
    return torch.from_numpy(np.clip(values, 0, 255).round() / 255).float().permute(2, 0, 1)[None]


# At fine steps the encoder's rounding of YCbCr to bytes, which we leave out, moves a part of the coefficients.
@pytest.mark.parametrize(("quality", "share"), [(30, 0.25), (50, 0.25), (75, 0.25), (92, 0.5)])
def test_compression_is_that_of_a_real_encoder(quality, share):
    image = picture()
    ours = jpeg(image, torch.tensor([float(quality)]))
    file = io.BytesIO()
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    theirs = torch.from_numpy(np.asarray(Image.open(file), np.float32) / 255).permute(2, 0, 1)[None]
    loss = (theirs - image).abs().mean()
    assert loss > 0.004 and (ours - theirs).abs().mean() < share * loss


def test_sizes_that_are_no_multiple_of_a_block():
    image = picture(48)[..., :37, :43]
    out = jpeg(image, torch.tensor([95.0]))
    assert out.shape == image.shape and (out - image).abs().max() < 0.25


def test_blur_has_the_width_asked_for():
    spot = torch.zeros(2, 3, 41, 41)
    spot[..., 20, 20] = 1
    out = blur(spot, torch.tensor([1.2, 1.2]), torch.tensor([0.0, np.pi / 2]), torch.tensor([0.0, 1.5]))
    step = torch.arange(41.0) - 20
    torch.testing.assert_close(out.sum((2, 3)), torch.ones(2, 3))
    across, down = (out[:, 0].sum(axis) @ step**2 for axis in (1, 2))
    assert across[0] == pytest.approx(1.44, rel=0.02) and down[0] == pytest.approx(1.44, rel=0.02)
    assert across[1] == pytest.approx(1.44, rel=0.02) and down[1] == pytest.approx(1.44 + 2.25, rel=0.06)


def test_no_strength_changes_nothing_and_some_changes_every_picture():
    images = picture().expand(16, -1, -1, -1)
    assert torch.equal(develop(images, Dice(0), 0.0), images)
    out = develop(images, Dice(0))
    assert ((out - images).abs().mean((1, 2, 3)) > 0.002).all()
    assert out.min() >= 0 and out.max() <= 1 and out.isfinite().all()
    assert torch.equal(out, develop(images, Dice(0)))


def test_a_picture_does_not_see_its_neighbours():
    one, two = picture(seed=1), picture(seed=2)
    a = develop(torch.cat([one, one, one]), Dice(5))
    b = develop(torch.cat([one, two, two]), Dice(5))
    torch.testing.assert_close(a[0], b[0], atol=1e-5, rtol=0)
