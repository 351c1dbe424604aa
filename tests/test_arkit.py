# SPDX-License-Identifier: Apache-2.0
"""The 52 ARKit weights and the parameter groups are two spellings of the same performance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups, groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.parameters import ARKIT_NAMES, FRAME_GROUPS, frame_groups

OPPOSITES = [
    ("jawLeft", "jawRight"),
    ("eyeLookUpLeft", "eyeLookDownLeft"), ("eyeLookUpRight", "eyeLookDownRight"),
    ("eyeLookInLeft", "eyeLookOutLeft"), ("eyeLookInRight", "eyeLookOutRight"),
]  # fmt: skip


def test_there_are_52_different_names():
    assert len(ARKIT_NAMES) == 52 == len(set(ARKIT_NAMES))
    assert sum(n.endswith("Left") for n in ARKIT_NAMES) == sum(n.endswith("Right") for n in ARKIT_NAMES)


@given(seed=st.integers(0, 1000))
def test_round_trip(seed, toy_head):
    """Weights come back; of two opposite ones (left and right, up and down) only the difference can."""
    weights = np.random.default_rng(seed).uniform(0, 1, (6, 52))
    for a, b in OPPOSITES:
        weights[:, ARKIT_INDEX[a]] *= weights[:, ARKIT_INDEX[a]] > weights[:, ARKIT_INDEX[b]]
        weights[:, ARKIT_INDEX[b]] *= weights[:, ARKIT_INDEX[a]] == 0
    groups = groups_from_arkit(toy_head, weights)
    np.testing.assert_allclose(arkit_from_groups(toy_head, groups), weights, atol=1e-12)
    sizes = frame_groups(toy_head.expression_size)
    assert {k: v.shape for k, v in groups.items()} == {k: (6, sizes[k]) for k in groups}


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_every_weight_alone_arrives_and_moves_the_head(name, toy_head):
    weights = np.zeros((1, 52))
    weights[0, ARKIT_INDEX[name]] = 0.7
    groups = groups_from_arkit(toy_head, weights)
    np.testing.assert_allclose(arkit_from_groups(toy_head, groups), weights, atol=1e-12)
    assert np.abs(decode(toy_head, groups).vertices - toy_head.template).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "group", "expected"),
    [
        ("jawOpen", "jaw", [0.36, 0, 0]),
        ("jawLeft", "jaw", [0, 0.12, 0]),
        ("jawRight", "jaw", [0, -0.12, 0]),
        ("eyeBlinkLeft", "eyelids", [1, 0]),
        ("eyeBlinkRight", "eyelids", [0, 1]),
        ("eyeLookUpLeft", "eyes", [-0.35, 0, 0, 0]),
        ("eyeLookDownRight", "eyes", [0, 0, 0.45, 0]),
        ("eyeLookOutLeft", "eyes", [0, 0.55, 0, 0]),
        ("eyeLookInLeft", "eyes", [0, -0.5, 0, 0]),
        ("eyeLookOutRight", "eyes", [0, 0, 0, -0.55]),
        ("eyeLookInRight", "eyes", [0, 0, 0, 0.5]),
    ],
)
def test_signs_and_angles(name, group, expected, toy_head):
    """The subject's left is +x: looking to one's own left turns both eyes about +y."""
    weights = np.zeros((1, 52))
    weights[0, ARKIT_INDEX[name]] = 1
    np.testing.assert_allclose(groups_from_arkit(toy_head, weights)[group], [expected], atol=1e-12)


def test_missing_groups_are_at_rest(toy_head):
    weights = arkit_from_groups(toy_head, {"jaw": np.array([[0.18, 0.0, 0.0]])})
    assert weights[0, ARKIT_INDEX["jawOpen"]] == pytest.approx(0.5)
    assert np.count_nonzero(weights) == 1


def test_parameter_tables_are_complete():
    for group in FRAME_GROUPS:
        assert group.low < group.high and group.unit and group.meaning
    assert frame_groups(50)["expression"] == 50
    assert sum(frame_groups(39).values()) == 39 + 2 + 3 + 3 + 3 + 4 + 3 + 1 + 1
