# SPDX-License-Identifier: Apache-2.0
"""The generator against the specification's fixture: keys, shapes, numbers."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.neural.generator import Generator  # noqa: E402

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
PREFIX = "smirk_generator."
# Specification, appendix A: what the official generator answers on formula-made weights and input.
PIXELS = {(0, 0, 0): 0.5152147, (1, 100, 37): 0.4817834, (2, 223, 223): 0.4945382, (0, 111, 112): 0.5079750}
MEAN, STD = 0.4987752506569611, 0.018500085047817038


def formula_weights(module: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """Weights made from the CRC-32 of their names (specification, appendix A)."""
    state = {}
    for name, tensor in module.state_dict().items():
        seed = zlib.crc32((prefix + name).encode())
        n = np.random.RandomState(seed).standard_normal(tuple(tensor.shape))
        if name.endswith("num_batches_tracked"):
            value = np.zeros(())
        elif name.endswith("running_var"):
            value = np.exp(0.1 * n)
        elif tensor.ndim == 4:
            value = n * np.sqrt(1 / np.prod(tensor.shape[1:]))
        elif tensor.ndim == 1 and name.endswith(".weight"):
            value = 1 + 0.1 * n
        else:
            value = 0.1 * n
        state[name] = torch.from_numpy(np.asarray(value)).to(tensor.dtype)
    return state


def test_numbers_of_the_official_generator():
    generator = Generator()
    generator.load_state_dict(formula_weights(generator, PREFIX), strict=True)
    generator.eval()
    c, y, x = np.mgrid[:3, :224, :224]
    image = torch.from_numpy((0.5 + 0.5 * np.sin(0.05 * x + 0.03 * y + c)).astype(np.float32))[None]
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
