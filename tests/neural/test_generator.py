# SPDX-License-Identifier: Apache-2.0
"""The generator against the specification's fixture: keys, shapes, numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from formula import fixture_image, formula_tensor

torch = pytest.importorskip("torch")

from smirk_core.neural.generator import Generator  # noqa: E402

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
PREFIX = "smirk_generator."
# Specification, appendix A: what the official generator answers on formula-made weights and input.
PIXELS = {(0, 0, 0): 0.5152147, (1, 100, 37): 0.4817834, (2, 223, 223): 0.4945382, (0, 111, 112): 0.5079750}
MEAN, STD = 0.4987752506569611, 0.018500085047817038


def test_numbers_of_the_official_generator():
    generator = Generator()
    state = generator.state_dict()
    weights = {k: torch.from_numpy(np.asarray(formula_tensor(PREFIX + k, tuple(v.shape)))) for k, v in state.items()}
    generator.load_state_dict(weights, strict=True)
    generator.eval()
    image = torch.from_numpy(fixture_image())
    with torch.no_grad():
        out = generator(image, image.flip(-1))[0]
    for place, value in PIXELS.items():
        assert abs(float(out[place]) - value) < 1e-5, place
    assert abs(float(out.mean()) - MEAN) < 1e-5 and abs(float(out.std()) - STD) < 1e-5


def test_keys_and_shapes_are_the_official_ones():
    listing = REFERENCE / "smirk_keys.txt"
    if not listing.is_file():
        pytest.skip("the list of official keys is not here")
    lines = [line.split("\t") for line in listing.read_text().splitlines() if line.startswith(PREFIX)]
    official = {name.removeprefix(PREFIX): (json.loads(shape), kind) for name, shape, kind in lines}
    ours = {k: (list(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in Generator().state_dict().items()}
    assert ours == official and len(ours) == 178


def test_size_of_the_official_generator():
    assert sum(p.numel() for p in Generator().parameters()) == 31_367_171


def test_every_input_channel_and_every_weight_matters():
    torch.manual_seed(0)
    generator = Generator(width=4, residual_blocks=1)
    render = torch.rand(2, 3, 32, 48, requires_grad=True)
    masked = torch.rand(2, 3, 32, 48, requires_grad=True)
    out = generator(render, masked)
    assert out.shape == (2, 3, 32, 48) and out.min() > 0 and out.max() < 1
    out.square().sum().backward()
    assert render.grad.abs().sum((0, 2, 3)).min() > 0 and masked.grad.abs().sum((0, 2, 3)).min() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


@pytest.mark.parametrize("size", [(30, 32), (32, 40), (16, 16)])
def test_sizes_that_do_not_halve_are_refused(size):
    with pytest.raises(ValueError, match="multiples of 16"):
        Generator(width=4)(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))
