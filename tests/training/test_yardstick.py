# SPDX-License-Identifier: Apache-2.0
"""The encoder's yardstick: figures by hand, covers of an exact area, and predictors that answer as the product does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from formula import formula_weights
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.bundled import figures, page, table
from benchmarks.bundled.covers import KINDS, REGIONS, cover, face_hull, hidden_and_visible, regions_of
from benchmarks.bundled.held_out import ACTIONS, GROUPS, HeldOut, action_weights, load_held_out
from benchmarks.bundled.observed import look
from benchmarks.bundled.people import held_out_portraits
from benchmarks.bundled.predictors import Predictors
from smirk_core.encoder.architecture import EncoderSize
from smirk_core.encoder.runtime import make_encoder
from smirk_core.errors import TrainingError
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.decode import landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.tracker import track

FACE = Path(__file__).parents[1] / "data" / "face.png"


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def marks(head: HeadModel) -> np.ndarray:
    """Landmarks of the mean head in a picture of 160 pixels."""
    points = landmark_points(head, head.template[None], head.landmarks["mediapipe_478"])[0].astype(float)
    pixels = points * [1, -1, -1]
    pixels -= [*pixels[:, :2].mean(0).tolist(), 0]
    return (pixels * 100 / np.ptp(pixels[:, 1]) + [80, 80, 0]).astype(np.float32)


# --- figures -----------------------------------------------------------------------------------------------------


def some_weights(seed: int = 0, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 1, (count, 52)) * (rng.random((count, 52)) < 0.3)
    return true, 0.5 * true + 0.1 * rng.normal(size=true.shape), np.arange(count) % 20


def test_pooled_is_pearsons_r_with_an_interval_around_it():
    true, found, person = some_weights()
    r, low, high = figures.pooled(true, found, person)
    assert r == pytest.approx(np.corrcoef(true.ravel(), found.ravel())[0, 1], abs=1e-12)
    assert low < r < high and high - low < 0.2
    assert figures.pooled(true, np.full_like(true, 0.3), person) == (0, 0, 0)


def test_the_interval_is_over_people_and_not_over_pictures():
    true, found, person = some_weights()
    twice = [np.concatenate([a, a]) for a in (true, found, person)]
    assert figures.pooled(*twice) == pytest.approx(figures.pooled(true, found, person))


@given(st.floats(0.1, 10), st.floats(-1, 1))
def test_pooled_knows_no_scale(gain: float, shift: float):
    true, found, person = some_weights()
    assert figures.pooled(true, gain * found + shift, person)[0] == pytest.approx(
        figures.pooled(true, found, person)[0], abs=1e-9
    )


def test_a_difference_has_a_sign_and_vanishes_between_equals():
    true, found, person = some_weights()
    assert figures.difference(true, found, found, person) == (0, 0, 0)
    better, low, _ = figures.difference(true, true, found, person)
    assert better > low > 0
    assert figures.difference(true, found, true, person)[0] == pytest.approx(-better)


def test_slopes_and_errors_by_hand():
    true = np.zeros((4, 52))
    true[:, 3], true[:, 7] = [0, 0.2, 0.4, 1], [1, 0, 0, 1]
    curves = figures.curve_table(true, 0.5 * true + 0.25 * (true > 2))
    assert set(curves) == {ARKIT_NAMES[3], ARKIT_NAMES[7]}
    assert curves[ARKIT_NAMES[3]] == pytest.approx({"r": 1, "slope": 0.5})
    assert figures.curve_table(true, np.zeros_like(true))[ARKIT_NAMES[3]] == {"r": 0, "slope": 0}
    found = 0.5 * true
    found[0, 0] = 0.4
    out = figures.errors(true, found)
    assert out["active"] == pytest.approx((0.2 + 0.5 * 3) / 4)
    assert out["rest"] == pytest.approx(0.4 / (4 * 52 - 5))


def test_the_strongest_curves_move_the_face_most(head: HeadModel):
    true = np.tile(np.eye(52), (2, 1))
    found = figures.strongest(head, true, 20)
    assert len(found) == 20 and "jawOpen" in found[:3] and not any(n.startswith("eyeLook") for n in found)
    quiet = true.copy()
    quiet[:, ARKIT_INDEX["jawOpen"]] *= 0.01
    assert "jawOpen" not in figures.strongest(head, quiet, 20)


def test_millimetres_of_the_face(head: HeadModel):
    true, none = np.stack([action_weights("jaw open"), action_weights("rest")]), np.zeros((2, 52))
    people = np.zeros((2, head.identity_size))
    apart = figures.face_mm(head, people, true, none)
    assert apart[1] == 0 and 3 < apart[0] < 15
    assert figures.face_mm(head, people, true, 0.5 * true)[0] == pytest.approx(apart[0] / 2, rel=0.1)
    looking = np.zeros((1, 52))
    looking[0, ARKIT_INDEX["eyeLookDownLeft"]] = 1
    assert figures.face_mm(head, people[:1], looking, none[:1])[0] < 0.1 * apart[0]  # lids follow the eyes


def test_closer_by_hand():
    one = np.array([[0.0], [10], [20]])
    assert figures.closer(one, one + 1) == {"comparisons": 1, "nearest": 1}
    mixed = figures.closer(one, np.array([[0.0], [19], [11]]))
    assert mixed["nearest"] == pytest.approx(1 / 3) and mixed["comparisons"] == pytest.approx(4 / 6)


def test_jitter_is_not_lowered_by_shrinking():
    t = np.linspace(0, 6, 120)[:, None]
    curve = np.sin(t + np.arange(3)) + 0.02 * np.random.default_rng(0).normal(size=(120, 3))
    full, half = figures.jitter(curve), figures.jitter(0.5 * curve)
    assert half["jitter"] == pytest.approx(0.5 * full["jitter"])
    assert half["relative"] == pytest.approx(full["relative"])
    assert figures.jitter(np.zeros((9, 2))) == {"jitter": 0, "relative": 0}


@pytest.mark.parametrize("late", [-2, -1, 0, 1, 2])
def test_lag_counts_frames(late: int):
    t = np.arange(200)[:, None]
    curve = np.sin(t / 5 + np.arange(4))
    assert figures.lag(curve, 0.4 * np.roll(curve, late, 0)) == pytest.approx(late, abs=0.05)
    assert np.isnan(figures.lag(curve, np.zeros_like(curve)))


# --- covers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_a_cover_hides_the_share_that_was_asked_for(kind: str, share: float, marks: np.ndarray):
    picture = np.random.default_rng(1).integers(0, 255, (160, 160, 3)).astype(np.uint8)
    hull = face_hull(marks, 160, 160)
    assert 0.2 < hull.mean() < 0.6
    for seed in range(2):
        out, hidden = cover(picture, marks, share, kind, np.random.default_rng(seed), picture[::2, ::2])
        assert (hidden & hull).sum() / hull.sum() == pytest.approx(share, abs=0.01)
        again, _ = cover(picture, marks, share, kind, np.random.default_rng(seed), picture[::2, ::2])
        assert (out == again).all()
        changed = (out != picture).any(-1)
        near = np.zeros_like(hidden)
        for dx in range(-2, 3):
            for dy in range(-2, 3):
                near |= np.roll(hidden, (dy, dx), (0, 1))
        assert not (changed & ~near).any()


def test_what_a_cover_hides(marks: np.ndarray):
    lost = np.zeros((160, 160), bool)
    away, seen = hidden_and_visible(marks, lost)
    assert not away.any() and seen.all()
    mouth = marks[list(REGIONS["mouth"]), :2]
    (x0, y0), (x1, y1) = mouth.min(0).astype(int) - 1, mouth.max(0).astype(int) + 2
    lost[y0:y1, x0:x1] = True
    away, seen = hidden_and_visible(marks, lost)
    for name in ("mouthSmileLeft", "mouthPucker", "jawOpen", "tongueOut"):
        assert away[ARKIT_INDEX[name]] and not seen[ARKIT_INDEX[name]]
    for name in ("browInnerUp", "eyeBlinkLeft", "eyeLookUpRight"):
        assert seen[ARKIT_INDEX[name]] and not away[ARKIT_INDEX[name]]
    half = np.zeros((160, 160), bool)
    half[:, 80:] = True  # the subject's left
    away, seen = hidden_and_visible(marks, half)
    assert away[ARKIT_INDEX["eyeBlinkLeft"]] and seen[ARKIT_INDEX["eyeBlinkRight"]]
    assert away[ARKIT_INDEX["browDownLeft"]] and seen[ARKIT_INDEX["browDownRight"]]


def test_every_curve_has_a_region():
    assert {r for n in ARKIT_NAMES for r in regions_of(n)} == set(REGIONS)


# --- the set -----------------------------------------------------------------------------------------------------


def a_set(head: HeadModel) -> HeldOut:
    sizes = {"identity": head.identity_size, "rotation": 3, "camera": 3, "jaw": 3, "eyes": 4, "eyelids": 2}
    groups = {n: np.zeros((3, sizes.get(n, head.expression_size)), np.float32) for n in GROUPS}
    action = np.array(["", "rest", "smile"])
    pictures, weights = np.zeros((3, 8, 8, 3), np.uint8), np.zeros((3, 52), np.float32)
    return HeldOut(pictures, groups, weights, np.array(["a", "b", "b"]), action, head.digest)


def test_a_set_comes_back_as_it_was_written(head: HeadModel, tmp_path: Path):
    made = a_set(head)
    arrays = {n: getattr(made, n) for n in ("pictures", "weights", "person", "action")}
    np.savez(tmp_path / "held_out.npz", head=np.array(made.head), **made.groups, **arrays)
    back = load_held_out(tmp_path, head)
    assert len(back) == 3 and back.head == head.digest and back.person.tolist() == ["a", "b", "b"]
    one = back.part(back.action == "smile")
    assert len(one) == len(one.groups["jaw"]) == 1
    with pytest.raises(TrainingError, match="another head"):
        load_held_out(tmp_path, replace(head, expression_basis=head.expression_basis[:5]))
    with pytest.raises(TrainingError, match="draw it"):
        load_held_out(tmp_path / "nothing", head)


def test_actions_are_what_they_say(head: HeadModel):
    for action, names in ACTIONS.items():
        weights = action_weights(action)
        assert weights.sum() == len(names) and all(weights[ARKIT_INDEX[n]] == 1 for n in names)
    with pytest.raises(KeyError):
        action_weights("moonwalk")


def test_people_are_told_apart_by_the_index(tmp_path: Path):
    (tmp_path / "index.csv").write_text(
        "file,split,source_path\neval/b.jpg,eval,inst/smiling_front/018_08.jpg\n"
        "eval/a.jpg,eval,inst/neutral_front/018_03.jpg\ntrain/c.jpg,train,x/c.jpg\n"
        "eval/d.jpg,eval,inst/canada/018f.jpg\neval/e.jpg,eval,inst/lisa/lisa2.jpg\n",
        encoding="utf-8",
    )
    found = held_out_portraits(tmp_path)
    assert [p.name for p in found] == ["a.jpg", "b.jpg", "d.jpg", "e.jpg"]
    assert found[0].person == found[1].person != found[2].person and found[3].person == "lisa"
    assert [p.neutral for p in found] == [True, False, True, True]
    with pytest.raises(TrainingError, match=r"index\.csv"):
        held_out_portraits(tmp_path / "nowhere")


# --- predictors --------------------------------------------------------------------------------------------------


def test_predictors_answer_as_the_product_does(head: HeadModel, tmp_path: Path):
    """The yardstick cuts, encodes and solves with its own few lines: they must stay the product's."""
    pytest.importorskip("mediapipe")
    pytest.importorskip("onnxruntime")
    picture = np.asarray(Image.open(FACE).convert("RGB"))
    seen = look([picture, np.full_like(picture, 90)], tmp_path)
    assert seen.found.tolist() == [True, False]
    again = look([picture, np.full_like(picture, 90)], tmp_path)
    np.testing.assert_array_equal(again.landmarks, seen.landmarks)
    encoder = make_encoder(formula_weights(EncoderSize(head.identity_size, head.expression_size), head="open-1"))
    predictors = Predictors(head, encoder)
    for name, with_encoder in (("solve", "none"), ("both", encoder)):
        take = track(FACE, head=head, encoder=with_encoder)
        answer = predictors.ask(name, seen)
        assert answer.identity is not None
        np.testing.assert_allclose(answer.weights[0], arkit_from_groups(head, take.raw)[0], atol=1e-4)
        np.testing.assert_allclose(answer.identity[0], take.identity, atol=1e-4)
        assert not answer.weights[1].any() and not answer.identity[1].any()
    alone = predictors.ask("encoder", seen)
    own = encoder.encode(np.stack([_crop(seen.landmarks[0], picture)]))
    np.testing.assert_allclose(alone.identity[0][: head.identity_size], own["shape_params"][0], atol=1e-5)
    for name in ("zero", "landmarks"):
        assert predictors.ask(name, seen).weights.shape == (2, 52)
    with pytest.raises(ValueError, match="encoder"):
        Predictors(head).ask("both", seen)
    with pytest.raises(KeyError):
        predictors.ask("crystal ball", seen)


def _crop(landmarks: np.ndarray, picture: np.ndarray) -> np.ndarray:
    from smirk_core.tracking.crop import crop_transform

    return crop_transform(landmarks, 1.4).apply(picture)


def test_the_table_has_a_column_for_each_predictor():
    report = {
        "predictors": {
            "zero": {"held out": {"pooled r": [0.0, 0.0, 0.0], "curves": {}}},
            "solve": {"held out": {"pooled r": [0.66, 0.6, 0.7]}, "single actions": {"blink": {"read": 0.9}}},
        }
    }
    rows = table.lines(report, ["zero", "encoder", "solve"])
    assert "| held-out people | zero expression | solve alone |" in rows
    assert "| pooled r | 0.000 (0.000–0.000) | 0.660 (0.600–0.700) |" in rows
    assert "| blink |  | 0.900 |" in rows


def test_the_page_keeps_what_people_wrote(tmp_path: Path):
    held_out = {"pooled r": [0.7, 0.65, 0.75], "face mm": 0.8, "curves": {"jawOpen": {"r": 0.9, "slope": 1.1}}}
    report = {
        "predictors": {
            "zero": {"held out": {"pooled r": [0.0, 0.0, 0.0]}},
            "encoder": {"held out": held_out, "single actions": {"blink": {"read": 0.9, "everything else": 0.5}}},
        },
        "compared": {"encoder over solve": [0.05, 0.03, 0.07]},
        "about": {"random pictures": 360, "single pictures": 256, "people": 144, "machine": "abacus", "encoder": "e"},
    }
    (tmp_path / "figures.json").write_text(json.dumps(report), encoding="utf-8")
    (tmp_path / "less.json").write_text(json.dumps(report), encoding="utf-8")
    (tmp_path / "accuracy.md").write_text(f"# Before\n\n{page.BEGIN}\nold\n{page.END}\n\n# After\n", encoding="utf-8")
    (tmp_path / "accuracy.json").write_text('{"neutral": 1}', encoding="utf-8")
    call = [str(tmp_path), "--docs", str(tmp_path), "--variant", f"without renders={tmp_path / 'less.json'}"]
    assert page.main(call) == page.main(call) == 0
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert text.startswith("# Before") and text.endswith("# After\n") and "old" not in text
    assert text.count("| pooled r | 0.000 (0.000–0.000) | 0.700 (0.650–0.750) |") == 1
    assert "| jawOpen |  | 0.90 / 1.10 |" in text and "| blink |  | 0.900 |" in text
    assert "encoder alone minus that of solve alone: 0.050 (0.030–0.070)" in text
    assert "| without renders | 0.700 (0.650–0.750) |" in text and "browInnerUp" not in text
    kept = json.loads((tmp_path / "accuracy.json").read_text(encoding="utf-8"))
    assert kept["neutral"] == 1 and kept["bundled"]["variants"]["without renders"]["face mm"] == 0.8
    (tmp_path / "figures.json").write_text("{}", encoding="utf-8")
    assert page.main(call) == 2
    assert (tmp_path / "accuracy.md").read_text(encoding="utf-8") == text


def test_figures_of_two_runs_stand_beside_each_other(tmp_path: Path):
    path = tmp_path / "figures.json"
    table._save(path, {"zero": table._known({"covers": {"exaggeration": float("nan"), "pictures": 3}})})
    table._save(path, {"solve": {}}, compared={"both over solve": [0.1, 0.0, 0.2]})
    report = table._save(path, {}, compared={"encoder over solve": [0.1, 0.0, 0.2]})
    assert report["predictors"] == {"zero": {"covers": {"exaggeration": None, "pictures": 3}}, "solve": {}}
    assert len(report["compared"]) == 2 and "NaN" not in path.read_text(encoding="utf-8")
    assert "| exaggeration |  |" in table.lines(report, ["zero"])
