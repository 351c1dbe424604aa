# SPDX-License-Identifier: Apache-2.0
"""Layers beyond smoothing: neutral, gain, gaps, offset. Always from raw, in order, as JSON in the header."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import make_take

from smirk_core.errors import TakeError
from smirk_core.heads.rotation import matrix_from_rotvec
from smirk_core.refine.layers import KINDS, apply_filters, check_layer, parse_layer
from smirk_core.take import Take


def with_raw(take: Take, **groups: np.ndarray) -> Take:
    raw = {**take.raw, **groups}
    return replace(take, raw=raw, filtered=raw)


def apply(take: Take, head, *layers) -> Take:
    return apply_filters(take, layers, expression_names=head.expression_names)


# neutral


def test_the_neutral_frame_is_at_rest_and_the_rest_of_the_range_stays(toy_head):
    take = make_take(toy_head, 50)
    expression = np.clip(take.raw["expression"], 0.0, 0.9)
    expression[20], expression[30] = 1.0, 0.0
    jaw = np.abs(take.raw["jaw"])
    take = with_raw(take, expression=expression, jaw=jaw)
    time = float(take.times[7])
    result = apply(take, toy_head, {"kind": "neutral", "time": time}).filtered
    np.testing.assert_allclose(result["expression"][7], 0.0, atol=1e-12)
    np.testing.assert_allclose(result["jaw"][7], 0.0, atol=1e-12)
    np.testing.assert_allclose(result["expression"][20], 1.0, atol=1e-12)
    np.testing.assert_array_equal(result["expression"][30], 0.0)
    for name in ("rotation", "neck", "camera", "eyes", "confidence", "visibility"):
        assert np.array_equal(result[name], take.raw[name]), name


@given(
    rest=st.floats(0, 1),
    values=st.lists(st.floats(-0.2, 1.4), min_size=2, max_size=8),
)
def test_neutral_is_monotone_and_ends_stay(rest, values, toy_head):
    take = make_take(toy_head, len(values) + 3)
    column = np.array([rest, 0.0, 1.0, *sorted(values)])
    expression = np.repeat(column[:, None], take.raw["expression"].shape[1], axis=1)
    result = apply(with_raw(take, expression=expression), toy_head, {"kind": "neutral"}).filtered["expression"][:, 0]
    assert result[2] == pytest.approx(1.0, abs=1e-9)
    assert result[1] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(result[3:]) >= -1e-9).all()
    if rest <= 0.95:
        assert result[0] == pytest.approx(0.0, abs=1e-9)


def test_a_worked_number(toy_head):
    """A mouth that rests at 0.2: 0.2 is 0, 0.6 is 0.5, 1 is 1, less than rest is rest."""
    take = make_take(toy_head, 4)
    expression = np.repeat(np.array([[0.2], [0.6], [1.0], [0.1]]), take.raw["expression"].shape[1], axis=1)
    result = apply(with_raw(take, expression=expression), toy_head, {"kind": "neutral"})
    np.testing.assert_allclose(result.filtered["expression"][:, 0], [0, 0.5, 1, 0], atol=1e-12)


def test_lids_at_rest_open_and_a_blink_is_no_rest(toy_head):
    take = make_take(toy_head, 3)
    lids = np.array([[0.2, 0.8], [1.0, 1.0], [0.6, 0.5]])
    result = apply(with_raw(take, eyelids=lids), toy_head, {"kind": "neutral"}).filtered["eyelids"]
    np.testing.assert_allclose(result, [[0.0, 0.8], [1.0, 1.0], [0.5, 0.5]], atol=1e-12)


def test_gaze_is_calibrated_only_where_asked_for(toy_head, toy_take):
    eyes = toy_take.raw["eyes"]
    kept = apply(toy_take, toy_head, {"kind": "neutral"}).filtered["eyes"]
    moved = apply(toy_take, toy_head, {"kind": "neutral", "gaze": True}).filtered["eyes"]
    assert np.array_equal(kept, eyes)
    np.testing.assert_allclose(moved, eyes - eyes[0], atol=1e-12)


def test_neutral_by_region(toy_head, toy_take):
    result = apply(toy_take, toy_head, {"kind": "neutral", "strength": {"brows": 1.0}}).filtered
    raw = toy_take.raw
    for i, name in enumerate(toy_head.expression_names):
        same = np.array_equal(result["expression"][:, i], raw["expression"][:, i])
        assert same != name.startswith("brow"), name
    assert np.array_equal(result["jaw"], raw["jaw"]) and np.array_equal(result["eyelids"], raw["eyelids"])


def test_nameless_components_are_subtracted(toy_take):
    size = toy_take.raw["expression"].shape[1]
    signed = with_raw(toy_take, expression=4 * toy_take.raw["expression"] - 2)
    result = apply_filters(signed, [{"kind": "neutral"}], expression_names=("exp",) * size).filtered["expression"]
    np.testing.assert_allclose(result, signed.raw["expression"] - signed.raw["expression"][0], atol=1e-12)


def test_a_moment_outside_of_the_take_is_refused(toy_head, toy_take):
    with pytest.raises(TakeError, match="outside of the take"):
        apply(toy_take, toy_head, {"kind": "neutral", "time": 99.0})


# gain


def test_gain_by_region_and_its_limits(toy_head, toy_take):
    result = apply(toy_take, toy_head, {"kind": "gain", "gain": {"mouth": 2.0, "jaw": 0.5}}).filtered
    raw = toy_take.raw
    for i, name in enumerate(toy_head.expression_names):
        mouth, jaw = name.startswith(("mouth", "tongue")), name.startswith("jaw")
        factor = 2.0 if mouth else 0.5 if jaw else 1.0
        np.testing.assert_allclose(
            result["expression"][:, i], np.minimum(factor * raw["expression"][:, i], 1.0), atol=1e-12
        )
    np.testing.assert_allclose(result["jaw"], 0.5 * raw["jaw"], atol=1e-12)
    assert np.array_equal(result["eyes"], raw["eyes"]) and np.array_equal(result["rotation"], raw["rotation"])


def test_lids_and_gaze_have_gains_of_their_own(toy_head, toy_take):
    lids = apply(toy_take, toy_head, {"kind": "gain", "gain": {"eyes": 0.5}}).filtered
    np.testing.assert_allclose(lids["eyelids"], 0.5 * toy_take.raw["eyelids"], atol=1e-12)
    assert np.array_equal(lids["eyes"], toy_take.raw["eyes"])
    gaze = apply(toy_take, toy_head, {"kind": "gain", "gain": {"gaze": 0.5}}).filtered
    np.testing.assert_allclose(gaze["eyes"], 0.5 * toy_take.raw["eyes"], atol=1e-12)
    assert np.array_equal(gaze["eyelids"], toy_take.raw["eyelids"])


def test_the_head_turns_half_as_far_without_a_jump(toy_head):
    """Rotation vectors that wrap at half a turn: half of them is near a quarter turn on either side."""
    take = make_take(toy_head, 60)
    angle = np.linspace(np.pi - 0.4, np.pi + 0.4, 60)
    wrapped = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    turns = with_raw(take, rotation=np.stack([np.zeros(60), wrapped, np.zeros(60)], axis=1))
    result = apply(turns, toy_head, {"kind": "gain", "gain": {"head": 0.5}}).filtered["rotation"]
    np.testing.assert_allclose(result[:, 1], angle / 2, atol=1e-9)
    assert np.array_equal(turns.raw["camera"], take.raw["camera"])


def test_gain_of_one_changes_not_a_bit(toy_head, toy_take):
    result = apply(toy_take, toy_head, {"kind": "gain", "gain": 1.0})
    for name, values in toy_take.raw.items():
        assert np.array_equal(result.filtered[name], values), name


# gaps


def gappy(toy_head) -> Take:
    take = make_take(toy_head, 30)
    visibility = np.ones((30, 1))
    visibility[[0, 10, 11, 12, 13, 28, 29]] = 0
    return with_raw(take, visibility=visibility)


def test_gaps_are_held(toy_head):
    take = gappy(toy_head)
    result = apply(take, toy_head, {"kind": "gaps", "mode": "hold"}).filtered
    for name in ("expression", "rotation", "camera"):
        raw = take.raw[name]
        np.testing.assert_array_equal(result[name][10:14], np.tile(raw[9], (4, 1)))
        np.testing.assert_array_equal(result[name][[0, 28, 29]], raw[[1, 27, 27]])
        np.testing.assert_array_equal(result[name][1:10], raw[1:10])


def test_gaps_are_bridged_straight_and_turns_the_short_way(toy_head):
    take = gappy(toy_head)
    result = apply(take, toy_head, {"kind": "gaps"}).filtered
    raw = take.raw["expression"]
    middle = raw[9] + (raw[14] - raw[9]) * 0.4
    np.testing.assert_allclose(result["expression"][11], middle, atol=1e-12)
    np.testing.assert_array_equal(result["expression"][[0, 29]], raw[[1, 27]])
    np.testing.assert_array_equal(result["expression"][14:28], raw[14:28])
    turn = take.raw["rotation"].copy()
    turn[9], turn[14] = (0, np.pi - 0.1, 0), (0, -np.pi + 0.1, 0)  # 0.2 rad apart, through half a turn
    bridged = apply(with_raw(take, rotation=turn), toy_head, {"kind": "gaps"}).filtered["rotation"]
    expected = matrix_from_rotvec(np.array([[0, np.pi - 0.1 + 0.2 * 0.4, 0]]))
    np.testing.assert_allclose(matrix_from_rotvec(bridged[11:12]), expected, atol=1e-4)


def test_distrusted_frames_are_gaps_and_measurements_stay(toy_head, toy_take):
    trust = np.ones((len(toy_take), 1))
    trust[5] = 0.3
    take = with_raw(toy_take, confidence=trust)
    result = apply(take, toy_head, {"kind": "gaps", "mode": "hold", "confidence": 0.5}).filtered
    np.testing.assert_array_equal(result["jaw"][5], take.raw["jaw"][4])
    assert np.array_equal(result["confidence"], trust) and np.array_equal(result["visibility"], take.raw["visibility"])


@pytest.mark.parametrize("visible", [0.0, 1.0])
def test_all_or_nothing_seen_changes_nothing(visible, toy_head, toy_take):
    take = with_raw(toy_take, visibility=np.full((len(toy_take), 1), visible))
    result = apply(take, toy_head, {"kind": "gaps"})
    for name, values in take.raw.items():
        assert np.array_equal(result.filtered[name], values), name


# offset


def test_whole_frames_move_without_a_change(toy_head, toy_take):
    later = apply(toy_take, toy_head, {"kind": "offset", "seconds": 3 / 25}).filtered
    for name, values in toy_take.raw.items():
        np.testing.assert_array_equal(later[name][3:], values[:-3])
        np.testing.assert_array_equal(later[name][:3], np.tile(values[0], (3, 1)))


def test_forth_and_back(toy_head, toy_take):
    result = apply(toy_take, toy_head, {"kind": "offset", "seconds": 0.2}, {"kind": "offset", "seconds": -0.2}).filtered
    for name, values in toy_take.raw.items():
        np.testing.assert_array_equal(result[name][:-5], values[:-5])


def test_half_a_frame_is_half_way(toy_head, toy_take):
    result = apply(toy_take, toy_head, {"kind": "offset", "seconds": 0.02}).filtered["jaw"]
    raw = toy_take.raw["jaw"]
    np.testing.assert_allclose(result[1:], (raw[1:] + raw[:-1]) / 2, atol=1e-12)


# stack


def test_the_stack_is_json_in_the_header_and_starts_from_raw(toy_head, toy_take, tmp_path):
    stack = (
        {"kind": "gaps", "mode": "hold"},
        {"kind": "savgol", "window": 7, "strength": {"mouth": 0.5}},
        {"kind": "neutral", "time": 0.2},
        {"kind": "gain", "gain": {"jaw": 1.5}},
        {"kind": "mirror"},
        {"kind": "offset", "seconds": 0.04},
    )
    first = apply(toy_take, toy_head, *stack)
    loaded = Take.load(first.save(tmp_path / "a.take.npz"))
    again = apply(loaded, toy_head, *loaded.info.filters)
    for name, values in first.filtered.items():
        assert np.array_equal(again.filtered[name], values), name
        assert np.array_equal(apply(again, toy_head).filtered[name], toy_take.raw[name]), name


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "gaps"])
def test_a_photo_can_be_refined(kind, toy_head):
    take = make_take(toy_head, 1)
    result = apply(take, toy_head, {"kind": kind})
    assert len(result) == 1 and result.info.filters[0]["kind"] == kind


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("mirror", {"kind": "mirror"}),
        ("gain:mouth=1.5,gaze=0.5", {"kind": "gain", "gain": {"mouth": 1.5, "gaze": 0.5}}),
        ("gaps:mode=hold", {"kind": "gaps", "mode": "hold", "confidence": 0.0}),
        (
            "neutral:time=1.5,gaze=true,mouth=1",
            {"kind": "neutral", "time": 1.5, "gaze": True, "strength": {"mouth": 1}},
        ),
        ("offset:seconds=-0.04", {"kind": "offset", "seconds": -0.04}),
    ],
)
def test_layers_from_text(text, layer):
    assert parse_layer(text) == check_layer(layer) == layer


@pytest.mark.parametrize(
    "layer",
    [
        {"kind": "gain", "gain": 5}, {"kind": "gain", "gain": {"chin": 1}}, {"kind": "gain", "strength": 1},
        {"kind": "gain", "gain": "much"}, {"kind": "gaps", "mode": "leap"}, {"kind": "gaps", "confidence": 2},
        {"kind": "neutral", "time": "now"}, {"kind": "neutral", "gaze": 1}, {"kind": "neutral", "time": float("nan")},
        {"kind": "mirror", "axis": "y"}, {"kind": "offset", "seconds": True}, {"kind": []}, {},
    ],
)  # fmt: skip
def test_bad_layers_are_named(layer):
    with pytest.raises(TakeError, match=r"[Ff]ilter"):
        check_layer(layer)
