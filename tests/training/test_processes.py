# SPDX-License-Identifier: Apache-2.0
"""Two processes learn what one would learn from both their batches."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")

from training import engine  # noqa: E402
from training.config import parse_config  # noqa: E402
from training.data.plain import plain  # noqa: E402
from training.data.source import Request  # noqa: E402


def _halves():
    return parse_config({
        "data": {"size": 32, "batch": 4},
        "model": {"landmarks": ["mediapipe_478"]},
        "losses": {"weights": {"landmarks_mediapipe_478": 10, "truth_expression": 1}},
        "run": {"device": "cpu"},
    })  # fmt: skip


def _worker(fabric, folder: str) -> None:
    """One of two processes: the gradient of its half of a batch, averaged."""
    torch.set_num_threads(1)
    run = engine.Trainer(_halves(), fabric)
    run.learn.weights = {"landmarks_mediapipe_478": 10.0, "truth_expression": 1.0}
    run.paths.eval()  # batch statistics are each process's own, so they must not enter the comparison
    batch = next(plain(Request(32, 4)))
    half = slice(2 * fabric.global_rank, 2 * fabric.global_rank + 2)
    _learn(run, batch, half)
    if fabric.global_rank == 1:  # the one that did not write the weights of the first
        torch.save([p.grad for p in run.paths.encoder.parameters()], Path(folder) / "grads.pt")


def _learn(run, batch, part: slice) -> None:
    mine = type(batch)(
        batch.image[part], batch.hull[part], {k: v[part] for k, v in batch.landmarks.items()}, {},
        {k: v[part] for k, v in batch.truth.items()},
    )  # fmt: skip
    run.learn(mine, 0)


def test_two_processes_have_the_gradient_of_one_with_both_halves(tmp_path):
    from lightning_fabric import Fabric

    Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn").launch(_worker, str(tmp_path))
    run = engine.Trainer(_halves(), engine.launch(_halves()))
    run.learn.weights = {"landmarks_mediapipe_478": 10.0, "truth_expression": 1.0}
    run.paths.eval()
    _learn(run, next(plain(Request(32, 4))), slice(0, 4))
    other = torch.load(tmp_path / "grads.pt", weights_only=True)
    pairs = list(zip(run.paths.encoder.parameters(), other, strict=True))
    assert sum(float(p.grad.abs().sum()) for p, _ in pairs) > 0
    for p, grad in pairs:
        torch.testing.assert_close(p.grad, grad, rtol=1e-3, atol=1e-6)
