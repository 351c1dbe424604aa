# SPDX-License-Identifier: Apache-2.0
"""Few keys, and never further off than stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smirk_core.refine.key_reduction import kept_keys


def furthest(times, values, keep):
    """Largest deviation of every component of every curve at the frames."""
    return np.array([
        [np.abs(np.interp(times, times[k], row[k]) - row).max() for row in curve]
        for curve, k in zip(values, keep, strict=True)
    ])  # fmt: skip


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(2, 120),
    curves=st.integers(1, 4),
    components=st.integers(1, 4),
    tolerance=st.floats(1e-4, 2.0),
    kind=st.sampled_from(["noise", "walk", "steps", "spikes", "growth"]),
)
def test_the_bound_holds(seed, frames, curves, components, tolerance, kind):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(curves, components, frames))
    if kind == "walk":
        values = np.cumsum(0.1 * values, axis=2)
    elif kind == "steps":
        values = np.round(np.cumsum(0.3 * values, axis=2))
    elif kind == "spikes":
        values = np.where(np.abs(values) > 2, values, 0.0)
    elif kind == "growth":
        values = np.exp(np.linspace(0, 20, frames)) * np.ones((curves, components, 1))
    times = np.cumsum(rng.uniform(0.01, 0.1, frames))
    keep = kept_keys(times, values, tolerance)
    assert keep.shape == (curves, frames) and keep[:, 0].all() and keep[:, -1].all()
    assert (furthest(times, values, keep) <= tolerance * (1 + 1e-9)).all()


def test_straight_lines_need_two_keys_and_a_corner_a_third():
    times = np.arange(101.0)
    line = 0.3 * times - 2
    corner = np.abs(times - 40)
    keep = kept_keys(times, np.stack([line, corner])[:, None], 1e-6)
    assert np.flatnonzero(keep[0]).tolist() == [0, 100]
    assert np.flatnonzero(keep[1]).tolist() == [0, 40, 100]


def test_components_of_a_curve_are_keyed_together_each_within_its_own_bound():
    times = np.arange(200.0)
    values = np.stack([np.sin(times / 9), 0.2 * np.cos(times / 31)])[None]
    keep = kept_keys(times, values, np.array([[0.01, 0.5]]))
    off = furthest(times, values, keep)[0]
    assert off[0] <= 0.01 and off[1] <= 0.5
    alone = kept_keys(times, values[:, :1], 0.01)
    assert np.array_equal(keep, alone)  # the looser bound never asks for a key
    assert keep.sum() < kept_keys(times, values, np.array([[0.01, 1e-5]])).sum()


def test_a_looser_bound_needs_fewer_keys():
    rng = np.random.default_rng(2)
    times = np.arange(2000) / 30
    values = np.cumsum(rng.normal(0, 0.01, (5, 1, 2000)), axis=2)
    counts = [int(kept_keys(times, values, t).sum()) for t in (0.001, 0.01, 0.05, 0.2)]
    assert counts == sorted(counts, reverse=True) and counts[-1] < 0.1 * counts[0]


def test_one_and_two_frames():
    assert kept_keys(np.array([0.0]), np.zeros((2, 1, 1)), 0.1).tolist() == [[True], [True]]
    assert kept_keys(np.array([0.0, 1.0]), np.zeros((1, 3, 2)), 0.1).tolist() == [[True, True]]


def test_no_tolerance_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        kept_keys(np.arange(5.0), np.zeros((1, 1, 5)), 0.0)
