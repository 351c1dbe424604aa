# SPDX-License-Identifier: Apache-2.0
"""Both stages, weights and figures by one command that is started again and again."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")
pytest.importorskip("onnxruntime")

from smirk_core.encoder.runtime import load_encoder  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from training import checkpoints, whole  # noqa: E402

SMALL = [
    "data.size=32", "data.batch=2", "run.steps=2", "run.device=cpu", "run.picture_every=0", "run.check_every=0",
    "core:model.generator=4", "core:model.residual_blocks=1", "core:run.steps=1",
]  # fmt: skip


def test_from_nothing_to_weights_and_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(whole, "evaluate", lambda paths, **asked: {"encoder": {"face_mm": 1.0 * (paths is None)}})
    assert whole.main([str(tmp_path), *SMALL, "--max-minutes", "0.01"]) == 3  # one step fits in whatever the time
    assert [p.name for p in checkpoints.checkpoints(tmp_path / "pretrain")] == ["step-00000001"]
    assert not (tmp_path / "core").exists() and "start the same command again" in capsys.readouterr().out
    assert whole.main([str(tmp_path), *SMALL, "--max-minutes", "60"]) == 0
    assert checkpoints.checkpoints(tmp_path / "core")[-1].name == "step-00000001"
    assert load_encoder(tmp_path / "encoder.onnx", "cpu", load_head()).head == "open-1"
    assert "face_mm" in (tmp_path / "evaluation.md").read_text()
    assert whole.main([str(tmp_path), *SMALL]) == 0  # nothing is done twice
    assert whole.main([str(tmp_path), "run.stepz=1"]) == 2
