# SPDX-License-Identifier: Apache-2.0
"""Figures of the accuracy suite against numbers worked by hand; the whole suite on an encoder that knows nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("yaml")

from smirk_core.encoder.architecture import EncoderSize  # noqa: E402
from smirk_core.encoder.smirk_encoder import SmirkEncoder  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.face_model import FaceModel  # noqa: E402
from smirk_core.neural.paths import Paths  # noqa: E402
from training import evaluate, measures  # noqa: E402
from training.plain_renderer import numpy_picture  # noqa: E402


@given(st.floats(0.1, 3), st.floats(-1, 1), st.integers(0, 99))
def test_slope_and_correlation_of_a_line(gain, offset, seed):
    wanted = np.random.default_rng(seed).uniform(0, 1, 20)
    found = gain * wanted + offset
    assert measures.slope(found, wanted) == pytest.approx(gain)
    assert measures.correlation(found, wanted) == pytest.approx(1)
    assert measures.correlation(-found, wanted) == pytest.approx(-1)


def test_constant_answers_find_nothing():
    wanted = np.random.default_rng(0).uniform(0, 1, (50, 3)).astype(np.float32)
    found = measures.curves(np.full_like(wanted, 0.5), wanted)
    assert found["curve_correlation"] == 0 and found["curve_slope"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(measures.slope(wanted[:, 0], np.ones(50)))
    perfect = measures.curves(wanted, wanted)
    assert perfect["curve_error"] == 0 and perfect["curve_slope"] == pytest.approx(1)


def test_sides():
    names = ("smileLeft", "smileRight", "jawForward")
    wanted = np.array([[0.8, 0.0, 0], [0.0, 0.6, 0], [0.9, 0.1, 0], [0.5, 0.5, 0]])
    half = measures.asymmetry(0.5 * wanted, wanted, names)
    assert half["asymmetry_slope"] == pytest.approx(0.5) and half["asymmetry_error"] == pytest.approx(0.275)
    assert measures.asymmetry(wanted, wanted, ("a", "b", "c")) == {}


def test_vertices_identity_jerk_exaggeration():
    points = np.zeros((2, 4, 3))
    keep = np.array([True, True, False, False])
    assert measures.vertex_errors(points + np.array([0.003, 0.004, 0]), points, {"lips": keep}) == {
        "lips_mm": pytest.approx(5)
    }
    identity = np.array([[0.0], [2.0], [10.0], [12.0]])  # means 1 and 11: spread 25, within 1
    assert measures.identity_ratio(identity, np.array([0, 0, 1, 1])) == pytest.approx(25)
    steady = np.arange(10.0)[:, None, None] ** 2 * np.ones((1, 2, 3))
    assert measures.jerk(steady) == pytest.approx(0)
    assert measures.exaggeration(np.full(3, -2.0), np.ones(3)) == 2


@pytest.fixture(scope="module")
def paths():
    """An encoder with SMIRK's start: the mean face for everything."""
    head = load_head()
    torch.manual_seed(0)
    encoder = SmirkEncoder(EncoderSize(head.identity_size, head.expression_size))
    face = FaceModel(head, 32, landmarks=tuple(head.landmarks))
    return Paths(encoder, None, face, torch.ones(len(head.triangles))).eval()


def test_the_whole_suite_tells_knowing_from_guessing(paths, monkeypatch):
    known = evaluate.predictors

    def with_truth(*arguments):
        return known(*arguments) | {
            "truth": lambda batch: dict(batch.truth) or paths.encode(batch.image),
        }

    monkeypatch.setattr(evaluate, "predictors", with_truth)
    results = evaluate.evaluate(paths, count=16)
    truth, guess = results["truth"], results["mean face"]
    for name in ("face_mm", "lips_mm", "expression_lips_mm", "landmarks_made_percent"):
        assert truth[name] < 1e-3 and guess[name] > 0.1, name
    assert truth["curve_slope"] == pytest.approx(1) and truth["asymmetry_slope"] == pytest.approx(1)
    assert truth["identity_mm"] == pytest.approx(0, abs=1e-3) and guess["curve_correlation"] == 0
    assert guess["rotation_degrees"] == 0 and results["zero expression"]["jaw_slope"] == 0
    mine = results["encoder"]
    assert {
        "noise_mm",
        "jerk_to_truth",
        "cycle_own_renderer",
        "transfer_drift_mm",
        "exaggeration_when_covered",
    } <= mine.keys()
    text = evaluate.table(results)
    assert "| figure | encoder | zero expression | mean face | truth |" in text and "–" in text
    json.dumps(evaluate._clean(results), allow_nan=False)


def test_two_renderers_see_the_same_outline(paths):
    batch = next(evaluate.open_source("plain", evaluate.Request(32, 1)))
    mesh = paths.face.mesh(batch.truth)
    drawn = paths.face.render(mesh, batch.truth["camera"])
    other = numpy_picture(paths.face, drawn.projected[0].numpy(), mesh.vertices[0].numpy())
    ground = (other == 0.35).all(0)
    assert other.shape == (3, 32, 32) and (ground == ~drawn.fragments.covered[0]).float().mean() > 0.97


def test_wrong_calls_are_one_line(tmp_path, capsys):
    assert evaluate.main([str(tmp_path), "-o", str(tmp_path)]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err
