# SPDX-License-Identifier: Apache-2.0
"""Both stages on FLAME, with the settings that ship, made small: from the official file format to a checkpoint."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")

from training import checkpoints  # noqa: E402
from training.train import main  # noqa: E402

SMALL = [
    "data.source=plain", "data.options={}", "data.size=64", "data.batch=4", "run.device=cpu",
    "run.precision=32-true", "run.compile=false", "run.steps=2", "model.residual_blocks=1",
]  # fmt: skip


def test_flame_is_pretrained_and_taught_by_synthesis(flame_file, tmp_path):
    head = f"model.head={flame_file}"
    first, second = tmp_path / "pretrain", tmp_path / "core"
    assert main(["flame/pretrain", *SMALL, head, "-o", str(first)]) == 0
    assert main(["flame/core", *SMALL, head, f"model.start={first}", "model.generator=4", "-o", str(second)]) == 0
    (pretrained, _), (taught, _) = (checkpoints.load(checkpoints.checkpoints(run)[-1]) for run in (first, second))
    assert pretrained["head"].startswith("flame") and pretrained["head"] == taught["head"]
    assert "generator" not in pretrained or not pretrained["generator"]
    before, after = pretrained["average"]["values"], taught["encoder"]
    assert after["expression_encoder.expression_layers.0.weight"].shape[0] == 55
    assert after["shape_encoder.shape_layers.0.weight"].shape[0] == 300
    changed = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"expression_encoder"}, "pose and shape stay as they were pretrained, statistics included"
    assert all(torch.isfinite(v).all() for v in taught["generator"].values())
