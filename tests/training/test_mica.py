# SPDX-License-Identifier: Apache-2.0
"""MICA in a training run: whom it teaches, whose faces count, and what is said where it cannot serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")

from smirk_core.errors import AssetError, TrainingError  # noqa: E402
from smirk_core.neural import losses  # noqa: E402
from smirk_core.neural.auxiliary import mica as mica_module  # noqa: E402
from smirk_core.neural.auxiliary.mica import Mica, with_aligned  # noqa: E402
from smirk_core.neural.paths import Batch  # noqa: E402
from training import checkpoints, engine  # noqa: E402
from training.config import parse_config  # noqa: E402


def settings(head: str | Path, mica: str | Path, *overrides: str):
    tree = {
        "data": {"size": 32, "batch": 3},
        "model": {"head": str(head), "landmarks": []},
        "losses": {"weights": {"mica_identity": 10}, "mica": str(mica)},
        "run": {"steps": 1, "device": "cpu", "picture_every": 0},
    }
    return parse_config(tree, overrides)


@pytest.fixture(scope="module")
def fabric():
    return engine.launch(settings("open", ""))


@pytest.fixture
def mica_file(tmp_path, monkeypatch) -> Path:
    """MICA with a block a stage and random weights."""
    monkeypatch.setattr(mica_module, "_DEPTHS", (1, 1, 1, 1))
    torch.manual_seed(0)
    network = Mica()
    torch.nn.init.ones_(network.regressor.output.bias)  # an identity far from the mean face
    flame = {f"regressor.{n}": v for n, v in network.regressor.state_dict().items()}
    torch.save({"arcface": network.arcface.state_dict(), "flameModel": flame}, tmp_path / "mica.tar")
    return tmp_path / "mica.tar"


@pytest.fixture
def batch() -> Batch:
    """Three faces: the second's landmarks are not a number, the third's are all in one place."""
    torch.manual_seed(1)
    points = torch.rand(3, 478, 2) - 0.5
    points[1, 33], points[2] = float("nan"), 0.25
    hull = torch.ones(3, 1, 32, 32, dtype=torch.bool)
    return with_aligned(Batch(torch.rand(3, 3, 32, 32), hull, {"mediapipe_478": points}))


def test_only_the_shape_encoder_learns_from_faces_that_could_be_aligned(fabric, flame_file, mica_file, batch):
    run = engine.Trainer(settings(flame_file, mica_file), fabric)
    run.learn.weights = {"mica_identity": 10.0}
    assert batch.trust["aligned"].tolist() == [1, 0, 0] and batch.aligned.isfinite().all()
    found, _, terms = run.learn._reconstruction(batch)
    guess, goal = found.groups["identity"], Mica.load(mica_file)(batch.aligned)
    width = guess.shape[1]
    torch.testing.assert_close(terms["mica_identity"], (guess[0] - goal[0, :width]).square().mean())
    terms["mica_identity"].backward()
    touched = {n.split(".")[0] for n, p in run.paths.encoder.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"shape_encoder"}
    judge = run.learn.recogniser
    assert isinstance(judge, Mica) and all(p.grad is None for p in judge.parameters())
    assert not any("arcface" in name for name in run.state()["encoder"])


def test_it_is_learned_and_left_out_by_its_weight(fabric, flame_file, mica_file, batch):
    run = engine.Trainer(settings(flame_file, mica_file, "run.steps=9", "optimiser.encoder_rate=1e-3"), fabric)
    values = [run(batch).terms["mica_identity"] for _ in range(4)]
    assert values[-1] < values[0] and run.skipped == 0
    run.learn.weights = {}
    assert "mica_identity" not in run.learn._reconstruction(batch)[2]


def test_faces_without_trust_do_not_count():
    guess, goal = torch.rand(3, 4, requires_grad=True), torch.rand(3, 6)
    trust = torch.tensor([1.0, 0.0, 1.0])
    loss = losses.identity_loss(guess, goal, trust)
    torch.testing.assert_close(loss, (guess - goal[:, :4])[[0, 2]].square().mean())
    loss.backward()
    assert guess.grad is not None and not guess.grad[1].any()
    assert losses.identity_loss(guess, goal, torch.zeros(3)) == 0


def test_landmarks_of_no_trust_align_nothing(batch):
    again = with_aligned(replace(batch, trust={"mediapipe_478": torch.tensor([0.0, 1.0, 1.0])}))
    assert again.aligned is not None and not again.aligned.any()
    assert again.trust["aligned"].tolist() == [0, 0, 0]


def test_without_a_file_or_a_learning_shape_encoder_there_is_no_term(fabric, flame_file, mica_file):
    assert engine.Trainer(settings(flame_file, ""), fabric).learn.recogniser is None
    fixed = settings(flame_file, mica_file, "model.trained=[pose_encoder, expression_encoder]")
    assert engine.Trainer(fixed, fabric).learn.recogniser is None


@pytest.mark.parametrize("case, error, words", [
    ("missing", AssetError, "no file"), ("open", TrainingError, "open-1 is no FLAME"),
    ("source", TrainingError, "'plain' gives no aligned faces"),
])  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(case, error, words, tmp_path, fabric, flame_file, mica_file):
    head = "open" if case == "open" else flame_file
    config = settings(head, tmp_path / "none.tar" if case == "missing" else mica_file)
    with pytest.raises(error, match=words) as caught:
        engine.train(config, tmp_path / "run", fabric=fabric)
    assert "\n" not in str(caught.value) and not checkpoints.checkpoints(tmp_path / "run")
