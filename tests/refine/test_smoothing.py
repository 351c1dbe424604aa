# SPDX-License-Identifier: Apache-2.0
"""Filters smooth without harm: constants stay, nothing lags, raw comes back bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import savgol_filter
from toys import make_take

from smirk_core.errors import TakeError
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.heads.rotation import matrix_from_rotvec
from smirk_core.refine.layers import apply_filters, check_layer, parse_layer
from smirk_core.refine.regions import REGIONS, region_of_expression
from smirk_core.take import Take

KINDS = ("savgol", "median", "one_euro")


def with_raw(take: Take, times: np.ndarray | None = None, **groups: np.ndarray) -> Take:
    raw = {**take.raw, **groups}
    return replace(take, times=take.times if times is None else times, raw=raw, filtered=raw)


def smooth(take: Take, toy_head, *layers) -> Take:
    return apply_filters(take, layers, expression_names=toy_head.expression_names)


@pytest.mark.parametrize("kind", KINDS)
def test_constants_stay(kind, toy_head, toy_take):
    still = {k: np.tile(v[:1], (len(toy_take), 1)) for k, v in toy_take.raw.items()}
    take = with_raw(toy_take, **still)
    result = smooth(take, toy_head, {"kind": kind})
    for name, values in still.items():
        np.testing.assert_allclose(result.filtered[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_falls_and_motion_stays(kind, toy_head):
    take = make_take(toy_head, 200)
    rng = np.random.default_rng(1)
    clean = take.raw["eyes"]
    noisy = with_raw(take, eyes=clean + rng.normal(0, 0.03, clean.shape))
    result = smooth(noisy, toy_head, {"kind": kind}).filtered["eyes"]
    assert np.sqrt(np.mean((result - clean) ** 2)) < 0.75 * 0.03


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strength", [0.0, {}, dict.fromkeys(REGIONS, 0.0)])
def test_zero_strength_is_identity(kind, strength, toy_head, toy_take):
    result = smooth(toy_take, toy_head, {"kind": kind, "strength": strength})
    for name, values in toy_take.raw.items():
        assert np.array_equal(result.filtered[name], values), name


def test_removing_all_layers_restores_raw_bit_for_bit(toy_head, toy_take):
    before = {k: v.copy() for k, v in toy_take.raw.items()}
    smoothed = smooth(toy_take, toy_head, {"kind": "savgol"}, {"kind": "median"})
    assert any(not np.array_equal(smoothed.filtered[k], before[k]) for k in before)
    restored = smooth(smoothed, toy_head)
    assert restored.info.filters == ()
    for name, values in before.items():
        assert np.array_equal(restored.filtered[name], values)
        assert np.array_equal(smoothed.raw[name], values)


def test_reapplying_a_stack_changes_nothing(toy_head, toy_take):
    stack = ({"kind": "median"}, {"kind": "savgol", "window": 7, "strength": {"mouth": 0.5, "head": 1}})
    once = smooth(toy_take, toy_head, *stack)
    twice = smooth(once, toy_head, *once.info.filters)
    assert once.info.filters == twice.info.filters
    for name, values in once.filtered.items():
        assert np.array_equal(twice.filtered[name], values)


@pytest.mark.parametrize("kind", KINDS)
def test_no_lag(kind, toy_head):
    """A symmetric bump stays where it is: its peak is on the same frame and the result is symmetric."""
    take = make_take(toy_head, 81)
    bump = np.exp(-0.5 * ((np.arange(81) - 40) / 5.0) ** 2)
    eyes = np.repeat(bump[:, None], 4, axis=1) * 0.5
    result = smooth(with_raw(take, eyes=eyes), toy_head, {"kind": kind}).filtered["eyes"]
    np.testing.assert_allclose(result[40], result.max(axis=0), atol=1e-12)
    np.testing.assert_allclose(result, result[::-1], atol=1e-9)


def test_one_way_one_euro_lags_and_uses_no_future(toy_head):
    take = make_take(toy_head, 60)
    step = np.zeros((60, 4))
    step[30:] = 0.5
    layer = {"kind": "one_euro", "two_way": False}
    result = smooth(with_raw(take, eyes=step), toy_head, layer).filtered["eyes"]
    assert (result[:30] == 0).all()
    assert 0 < result[30, 0] < 0.5 and result[-1, 0] > 0.45


def test_savgol_is_scipys_on_even_time_stamps(toy_head):
    take = make_take(toy_head, 50)
    eyes = np.random.default_rng(3).uniform(-0.5, 0.5, (50, 4))
    layer = {"kind": "savgol", "window": 11, "order": 3}
    result = smooth(with_raw(take, eyes=eyes), toy_head, layer).filtered["eyes"]
    expected = savgol_filter(eyes, 11, 3, axis=0, mode="interp")
    np.testing.assert_allclose(result, np.clip(expected, -0.8, 0.8), atol=1e-10)


def test_savgol_keeps_cubics_on_uneven_time_stamps(toy_head):
    take = make_take(toy_head, 40)
    times = np.cumsum(np.random.default_rng(5).uniform(0.01, 0.09, 40))
    x = times / times[-1]
    cubic = np.stack([x, x**2, x**3, 0.3 - x + 2 * x**3 / 3], axis=1) * 0.5
    result = smooth(with_raw(take, times=times, eyes=cubic), toy_head, {"kind": "savgol", "order": 3})
    np.testing.assert_allclose(result.filtered["eyes"], cubic, atol=1e-9)


def test_median_removes_a_single_bad_frame(toy_head):
    take = make_take(toy_head, 30)
    eyes = np.full((30, 4), 0.1)
    eyes[12] = 0.7
    result = smooth(with_raw(take, eyes=eyes), toy_head, {"kind": "median"}).filtered["eyes"]
    np.testing.assert_array_equal(result, np.full((30, 4), 0.1))


@pytest.mark.parametrize("kind", KINDS)
def test_head_turning_through_half_a_turn_does_not_jump(kind, toy_head):
    """Rotation vectors flip sign at pi; filtered as numbers they would average to nothing."""
    take = make_take(toy_head, 60)
    angle = np.linspace(np.pi - 0.4, np.pi + 0.4, 60)
    wrapped = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    rotation = np.stack([np.zeros(60), wrapped, np.zeros(60)], axis=1)
    result = smooth(with_raw(take, rotation=rotation), toy_head, {"kind": kind}).filtered["rotation"]
    expected = matrix_from_rotvec(np.stack([np.zeros(60), angle, np.zeros(60)], axis=1))
    assert np.abs(matrix_from_rotvec(result) - expected).max() < 0.06


def test_strength_goes_by_region(toy_head):
    take = make_take(toy_head, 40)
    rng = np.random.default_rng(2)
    noise = np.clip(rng.normal(0.5, 0.2, take.raw["expression"].shape), 0, 1)
    result = smooth(with_raw(take, expression=noise), toy_head, {"kind": "savgol", "strength": {"brows": 1.0}})
    changed = (result.filtered["expression"] != noise).any(axis=0)
    for name, moved in zip(toy_head.expression_names, changed, strict=True):
        assert moved == name.startswith("brow"), name
    assert np.array_equal(result.filtered["rotation"], take.raw["rotation"])


def test_half_strength_is_half_way(toy_head):
    take = make_take(toy_head, 40)
    eyes = np.random.default_rng(4).uniform(-0.3, 0.3, (40, 4))
    full = smooth(with_raw(take, eyes=eyes), toy_head, {"kind": "median"}).filtered["eyes"]
    half = smooth(with_raw(take, eyes=eyes), toy_head, {"kind": "median", "strength": 0.5}).filtered["eyes"]
    np.testing.assert_allclose(half, 0.5 * (eyes + full), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    values=arrays(np.float64, (24, 2), elements=st.floats(0, 1)),
    kind=st.sampled_from(KINDS),
    window=st.sampled_from([3, 5, 9, 31]),
)
def test_weights_never_leave_their_range(values, kind, window, toy_head):
    take = make_take(toy_head, 24)
    layer = {"kind": kind} if kind == "one_euro" else {"kind": kind, "window": window}
    if kind == "savgol":
        layer["order"] = 2
    result = smooth(with_raw(take, eyelids=values), toy_head, layer).filtered["eyelids"]
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_takes(kind, count, toy_head):
    result = smooth(make_take(toy_head, count), toy_head, {"kind": kind})
    assert len(result) == count and result.info.filters[0]["kind"] == kind


def test_measurements_are_not_smoothed(toy_head, toy_take):
    result = smooth(toy_take, toy_head, {"kind": "savgol"})
    for name in ("confidence", "visibility"):
        assert np.array_equal(result.filtered[name], toy_take.raw[name])


def test_nameless_expressions_take_the_mean_of_the_face(toy_take):
    size = toy_take.raw["expression"].shape[1]
    strength = {"mouth": 1.0}
    result = apply_filters(toy_take, [{"kind": "median", "strength": strength}], expression_names=("",) * size)
    full = apply_filters(toy_take, [{"kind": "median"}], expression_names=("",) * size)
    raw = toy_take.raw["expression"]
    expected = raw + 0.2 * (full.filtered["expression"] - raw)
    np.testing.assert_allclose(result.filtered["expression"], expected, atol=1e-12)


def test_filters_survive_the_file(toy_head, toy_take, tmp_path):
    result = smooth(toy_take, toy_head, parse_layer("savgol:window=7,mouth=0.25"))
    again = Take.load(result.save(tmp_path / "a.take.npz"))
    assert again.info.filters[0]["window"] == 7
    assert again.info.filters[0]["strength"] == {"mouth": 0.25}
    for name, values in result.filtered.items():
        assert np.array_equal(again.filtered[name], values)


def test_every_arkit_name_has_a_region():
    assert all(region_of_expression(n) in REGIONS for n in ARKIT_NAMES)
    assert region_of_expression("component_12") is None


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("median", {"kind": "median", "window": 5, "strength": dict.fromkeys(REGIONS, 1.0)}),
        ("median:window=7,eyes=0", {"kind": "median", "window": 7, "strength": {"eyes": 0.0}}),
        ("one_euro:two_way=false", {**check_layer({"kind": "one_euro"}), "two_way": False}),
    ],
)
def test_layers_from_text(text, layer):
    assert parse_layer(text) == layer


@pytest.mark.parametrize(
    "text",
    ["", "gauss", "savgol:window=4", "savgol:window=x", "savgol:order=9", "median:order=2", "savgol:chin=1",
     "savgol:mouth=2", "savgol:window=2.5", "one_euro:cutoff=0", "median:window=nan"],
)  # fmt: skip
def test_bad_layers_are_named(text):
    with pytest.raises(TakeError, match=r"[Ff]ilter|region"):
        parse_layer(text)
