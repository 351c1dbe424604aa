# SPDX-License-Identifier: Apache-2.0
"""Random performances stay possible."""

import numpy as np
import pytest

from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.parameters import ARKIT_NAMES
from training.data.expressions import MIRRORED, sample_expressions, sample_neutral


@pytest.fixture(scope="module")
def many():
    return sample_expressions(np.random.default_rng(0), 3000)


def test_range_and_shape(many):
    assert many.shape == (3000, len(ARKIT_NAMES))
    assert many.min() >= 0 and many.max() <= 1


def test_the_same_seed_gives_the_same_faces(many):
    np.testing.assert_array_equal(many, sample_expressions(np.random.default_rng(0), 3000))


def test_every_action_occurs_strongly(many):
    assert (many.max(axis=0) > 0.7).all()


def test_eyes_do_not_look_both_ways(many):
    for side in ("Left", "Right"):
        both = many[:, ARKIT_INDEX["eyeLookIn" + side]] * many[:, ARKIT_INDEX["eyeLookOut" + side]]
        assert both.max() == 0


def test_lips_close_no_more_than_the_jaw_opens(many):
    assert (many[:, ARKIT_INDEX["mouthClose"]] <= many[:, ARKIT_INDEX["jawOpen"]] + 1e-9).all()


def test_mirror_is_its_own_inverse_and_swaps_sides():
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(len(ARKIT_NAMES)))
    assert MIRRORED[ARKIT_INDEX["mouthSmileLeft"]] == ARKIT_INDEX["mouthSmileRight"]
    assert MIRRORED[ARKIT_INDEX["jawOpen"]] == ARKIT_INDEX["jawOpen"]


def test_neutral_is_neutral():
    rest = sample_neutral(np.random.default_rng(1), 500)
    face = [i for n, i in ARKIT_INDEX.items() if not n.startswith("eyeLook")]
    assert rest[:, face].max() <= 0.13
    assert (rest[:, face].sum(1) == 0).mean() > 0.4
