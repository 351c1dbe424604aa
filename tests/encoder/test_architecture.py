# SPDX-License-Identifier: Apache-2.0
"""The table of the encoder against the published list of weights."""

from __future__ import annotations

import json
import math

import pytest
from formula import REFERENCE
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.encoder.architecture import BRANCHES, PREFIX, EncoderSize, encoder_keys, same_padding


def test_all_names_and_shapes_are_those_of_the_published_checkpoint():
    path = REFERENCE / "smirk_keys.txt"
    if not path.is_file():
        pytest.skip("no reference here")
    rows = [line.split("\t") for line in path.read_text().splitlines() if line.startswith(PREFIX)]
    published = {name.removeprefix(PREFIX): tuple(json.loads(shape)) for name, shape, _ in rows}
    assert len(published) == 762
    assert list(encoder_keys(EncoderSize()).items()) == list(published.items())
    whole = {name.removeprefix(PREFIX) for name, _, kind in rows if kind == "int64"}
    assert whole == {k for k in published if k.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("branch", "count"), [("pose_encoder", 432_350), ("shape_encoder", 1_701_508), ("expression_encoder", 1_466_063)]
)
def test_parameters_are_as_many_as_published(branch, count):
    learned = {
        k: s for k, s in encoder_keys(EncoderSize()).items()
        if k.startswith(branch) and not k.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }  # fmt: skip
    assert sum(math.prod(s) for s in learned.values()) == count


def test_sizes_follow_the_head():
    size = EncoderSize(n_shape=6, n_exp=39)
    keys = encoder_keys(size)
    assert keys["shape_encoder.shape_layers.0.weight"] == (6, 960)
    assert keys["expression_encoder.expression_layers.0.bias"] == (44,)
    assert {o.name: o.size for o in size.outputs} == {
        "pose_params": 3, "cam": 3, "shape_params": 6, "expression_params": 39, "eyelid_params": 2, "jaw_params": 3,
    }  # fmt: skip
    for branch in BRANCHES:  # every row of a linear layer is one output, and only one
        rows = [r for o in size.outputs if o.branch == branch.name for r in range(*o.rows)]
        assert rows == list(range(size.rows(branch.name)))


def test_stride_two_pads_right_and_below_only():
    assert same_padding(224, 3, 2) == (0, 1)
    assert same_padding(7, 3, 2) == (1, 1)
    assert same_padding(14, 3, 1) == (1, 1)
    assert same_padding(14, 1, 1) == (0, 0)


@given(st.integers(1, 500), st.sampled_from([1, 3, 5]), st.integers(1, 2))
def test_padding_is_what_tensorflow_defines(size, kernel, stride):
    before, after = same_padding(size, kernel, stride)
    assert 0 <= before <= after <= before + 1
    reach = size + before + after
    assert reach < kernel or (reach - kernel) // stride + 1 == -(-size // stride)
