# SPDX-License-Identifier: Apache-2.0
"""Weights by formula (specification, appendix A): published outputs can be compared without published weights."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smirk_core.encoder.architecture import PREFIX, EncoderSize, encoder_keys
from smirk_core.encoder.checkpoint import Weights, checked_weights

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


def formula_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor called ``name`` (with its prefix) of a made-up checkpoint."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        return np.exp(0.1 * n).astype(np.float32)
    if name.endswith("running_mean"):
        return (0.1 * n).astype(np.float32)
    if len(shape) == 4:
        return (n * np.sqrt(1 / np.prod(shape[1:]))).astype(np.float32)
    if len(shape) == 2:
        return (0.004 * n).astype(np.float32)
    return ((1 + 0.1 * n) if name.endswith("weight") else 0.1 * n).astype(np.float32)


def formula_tensors(size: EncoderSize | None = None) -> dict[str, np.ndarray]:
    """All encoder tensors, with the checkpoint's prefix."""
    return {PREFIX + k: formula_tensor(PREFIX + k, s) for k, s in encoder_keys(size or EncoderSize()).items()}


def formula_weights(size: EncoderSize | None = None, **words: Any) -> Weights:
    return checked_weights(formula_tensors(size), **{"digest": "f" * 64, "source": "formula", **words})


def fixture_image() -> np.ndarray:
    """(1, 3, 224, 224) float32: the picture that the published outputs are of."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(224), np.arange(224), indexing="ij")
    return (0.5 + 0.5 * np.sin(0.05 * x + 0.03 * y + c)).astype(np.float32)[None]


def fixtures() -> dict[str, Any]:
    """Published pairs of input and output; skips where they are not at hand."""
    path = REFERENCE / "smirk_fixtures.json"
    if not path.is_file():
        pytest.skip("no reference fixtures here")
    return json.loads(path.read_text())


def fixture_error(outputs: dict[str, Any]) -> float:
    """Largest distance of outputs (1, size) to the published ones."""
    truth = fixtures()["encoder"]
    errors = []
    for name in ("pose_params", "cam", "eyelid_params", "jaw_params"):
        errors.append(np.abs(np.asarray(outputs[name])[0] - truth[name]).max())
    for name in ("shape_params", "expression_params"):
        values = np.asarray(outputs[name], np.float64)[0]
        errors.append(np.abs(values[:8] - truth[f"{name}_first8"]).max())
        errors.append(abs(values.sum() - truth[f"{name}_sum"]) / np.sqrt(len(values)))  # errors of a sum add up
    return float(max(errors))
