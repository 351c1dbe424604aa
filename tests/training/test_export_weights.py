# SPDX-License-Identifier: Apache-2.0
"""Weights of a run as files: they load as every encoder does, know their head, and give the network's numbers."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("yaml")
pytest.importorskip("onnxruntime")

from smirk_core.encoder.architecture import EncoderSize  # noqa: E402
from smirk_core.encoder.runtime import load_encoder  # noqa: E402
from smirk_core.encoder.smirk_encoder import SmirkEncoder  # noqa: E402
from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from training import checkpoints, export_weights  # noqa: E402
from training.config import parse_config  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A checkpoint as the engine writes them, of an encoder with random heads."""
    folder, head = tmp_path_factory.mktemp("run"), load_head()
    torch.manual_seed(0)
    encoder = SmirkEncoder(EncoderSize(head.identity_size, head.expression_size))
    torch.nn.init.normal_(encoder.expression_encoder.head.weight, std=0.1)
    for module in encoder.modules():  # batch statistics of real pictures, else next to nothing comes through
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        encoder.train()(torch.from_numpy(export_weights._crops()).permute(0, 3, 1, 2).float() / 255)
    state = {
        "step": 5, "encoder": {}, "average": {"steps": 5, "values": encoder.state_dict()},
        "head": head.name, "head_digest": head.digest,
    }  # fmt: skip
    checkpoints.save(folder, 5, state, parse_config({"losses": {"weights": {"photometric": 1}}}))
    return folder


def test_all_files_load_for_their_head_and_agree(run, tmp_path):
    report = export_weights.export(run, tmp_path, "mine")
    crops, results = export_weights._crops(), {}
    for name in ("mine.safetensors", "mine.float16.safetensors", "mine.onnx"):
        encoder = load_encoder(tmp_path / name, "cpu", load_head())
        assert encoder.head == "open-1" and encoder.digest == report["sha256"][name]
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == encoder.digest
        results[name] = encoder.encode(crops)["expression_params"]
    assert np.abs(results["mine.safetensors"]).max() > 0.05
    np.testing.assert_allclose(results["mine.onnx"], results["mine.safetensors"], atol=1e-5)
    whole, half = (results[f"mine.{n}"] for n in ("safetensors", "float16.safetensors"))
    np.testing.assert_allclose(half, whole, atol=0.02 * np.abs(whole).max())
    assert (tmp_path / "mine.float16.safetensors").stat().st_size < 0.55 * (
        tmp_path / "mine.safetensors"
    ).stat().st_size
    assert json.loads((tmp_path / "mine.json").read_text()) == report and report["images"] == 5 * 16
    card = (tmp_path / "mine.md").read_text()
    assert "open-1" in card and "Not for use as it is" in card and report["sha256"]["mine.onnx"] in card


def test_a_file_that_gives_other_numbers_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(export_weights, "_apart", lambda found, wanted: float("nan"))
    with pytest.raises(TrainingError, match="other numbers"):
        export_weights.export(run, tmp_path)


def test_nothing_to_export(tmp_path, capsys):
    assert export_weights.main([str(tmp_path), "-o", str(tmp_path)]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err
