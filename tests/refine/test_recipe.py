# SPDX-License-Identifier: Apache-2.0
"""The panel's settings and the stack they stand for, forth and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.errors import TakeError
from smirk_core.refine.gain import GAIN_REGIONS
from smirk_core.refine.layers import check_layer
from smirk_core.refine.recipe import FACE_SLIDERS, GAIN_SLIDERS, Recipe
from smirk_core.refine.regions import REGIONS

RECIPES = st.builds(
    Recipe,
    smooth=st.dictionaries(st.sampled_from(FACE_SLIDERS), st.floats(0.01, 1)),
    method=st.sampled_from(["savgol", "one_euro"]),
    window=st.sampled_from([3, 5, 9, 31]),
    bad_frames=st.booleans(),
    gaps=st.sampled_from(["keep", "interpolate", "hold"]),
    confidence=st.floats(0, 1),
    neutral=st.none() | st.floats(0, 60),
    neutral_gaze=st.booleans(),
    gain=st.dictionaries(st.sampled_from(GAIN_SLIDERS), st.floats(0, 0.99) | st.floats(1.01, 4)),
    mirror=st.booleans(),
    offset=st.floats(-2, 2),
)


@given(RECIPES)
def test_forth_and_back(recipe):
    stack = recipe.layers()
    again = Recipe.of(stack)
    assert again is not None and again.layers() == stack
    assert tuple(check_layer(layer) for layer in stack) == stack


def test_nothing_is_nothing():
    assert Recipe().layers() == () and Recipe.of(()) == Recipe()


def test_the_mouth_takes_cheeks_and_nose_along():
    (layer,) = Recipe(smooth={"mouth": 0.5}).layers()
    assert layer["strength"] == {"mouth": 0.5, "cheeks": 0.5, "nose": 0.5}


@pytest.mark.parametrize(
    "stack",
    [
        [{"kind": "savgol", "strength": {"mouth": 0.5}}],  # cheeks without the mouth
        [{"kind": "savgol"}, {"kind": "savgol", "window": 5}],
        [{"kind": "mirror"}, {"kind": "gaps"}],
        [{"kind": "one_euro", "cutoff": 3.0}],
        [{"kind": "unknown"}],
        [{"kind": "median", "window": 7}],
    ],
)
def test_other_stacks_have_no_recipe(stack):
    assert Recipe.of(stack) is None


def test_values_out_of_range_are_refused():
    with pytest.raises(TakeError, match="strength"):
        Recipe(smooth={"mouth": 1.5}).layers()
    with pytest.raises(TakeError, match="unknown region"):
        Recipe(gain={"chin": 2.0}).layers()


def test_sliders_are_regions():
    assert set(FACE_SLIDERS) <= set(REGIONS) and set(GAIN_SLIDERS) <= set(GAIN_REGIONS)
