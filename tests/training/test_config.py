# SPDX-License-Identifier: Apache-2.0
"""Settings of training runs: read strictly, changed from the command line, written as read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("yaml")

from hypothesis import given
from hypothesis import strategies as st

from smirk_core.errors import TrainingError
from training.config import Config, load_config, parse_config, to_yaml
from training.schedules import Ramp, cosine

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
LEAST = {"losses": {"weights": {"photometric": 1}}}


RUNS = sorted(p for p in CONFIGS.rglob("*.yaml") if not p.name.startswith("bundled_"))  # those are recipes


@pytest.mark.parametrize("path", RUNS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_shipped_settings_are_read_and_written_alike(path, tmp_path):
    config = load_config(path)
    assert isinstance(config, Config) and config.losses.weights
    (tmp_path / "copy.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_config(tmp_path / "copy.yaml") == config


def test_overrides():
    config = parse_config(LEAST, [
        "run.steps=7", "optimiser.encoder_rate=1e-3", "data.options.path=faces", "model.trained=[expression_encoder]",
        "losses.weights.photometric={0: 2, 0.5: 0}", "run.device=cpu", "optimiser.encoder_betas=[0.5, 0.9]",
    ])  # fmt: skip
    assert config.run.steps == 7 and config.optimiser.encoder_rate == 0.001
    assert config.data.options == {"path": "faces"} and config.model.trained == ("expression_encoder",)
    assert config.losses.weights["photometric"].at(0.25) == 1 and config.optimiser.encoder_betas == (0.5, 0.9)
    assert LEAST == {"losses": {"weights": {"photometric": 1}}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run.stepz=1", "did you mean 'steps'"),
        ("rum.steps=1", "did you mean 'run'"),
        ("run.steps=1.5", "whole number"),
        ("run.steps=yes", "whole number"),
        ("run.steps=0", "at least 1"),
        ("run.device=tpu", "'auto', 'cpu'"),
        ("model.faithful=1", "true or false"),
        ("optimiser.encoder_rate=.nan", "a number"),
        ("optimiser.encoder_betas=[1]", "a list"),
        ("data.size=100", "multiple of 16"),
        ("data.batch=3", None),
        ("run.devices=3", "shared evenly"),
        ("model.trained=[nose]", "'nose'"),
        ("losses.weights.photometric={0.5: 1, 2: 0}", "in \\[0, 1\\]"),
        ("losses.weights.photometric=-1", "0 or more"),
        ("losses.weights={}", "nothing would be learned"),
        ("run=3", "must hold settings"),
        ("run.steps.x=1", "below a single value"),
        ("steps", "is no setting"),
        ("run.steps=[", "cannot be read"),
    ],
)
def test_wrong_settings_are_named_in_one_line(line, words):
    tree = LEAST | {"run": {"steps": 5}}
    if words is None:
        assert parse_config(tree, [line]).data.batch == 3
        return
    with pytest.raises(TrainingError, match=words) as caught:
        parse_config(tree, [line])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "\x00"])
def test_files_that_are_none(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(TrainingError):
        load_config(path)
    with pytest.raises(TrainingError, match="Cannot read"):
        load_config(tmp_path / "missing.yaml")


@given(st.dictionaries(st.floats(0, 1), st.floats(0, 1e6), min_size=1, max_size=5), st.floats(0, 1))
def test_ramps_stay_between_their_points_and_hit_them(points, share):
    ramp = Ramp.of(points)
    assert min(points.values()) - 1e-6 <= ramp.at(share) <= max(points.values()) * (1 + 1e-9) + 1e-6
    for at, value in points.items():
        assert ramp.at(at) == pytest.approx(value)


def test_cosine():
    assert cosine(0, 100, 0.01) == 1 and cosine(100, 100, 0.01) == pytest.approx(0.01)
    assert cosine(50, 100, 0.0) == pytest.approx(0.5) and cosine(500, 100, 0.01) == pytest.approx(0.01)
    assert cosine(10, 100, 0.01, restart_every=10) == 1 and cosine(0, 100, 0.01, warmup=4) == 0.25
