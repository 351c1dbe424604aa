# SPDX-License-Identifier: Apache-2.0
"""Give the model of the detector a still rest and full strokes, measured on people who did not shape its weights.

    python -m training.detector.calibrate --data DIR [DIR ...] [--model FILE]

A network that minimises squared error hedges: what it sees badly it reports too small, and what is not there it
reports as a little. Curves for animation want the opposite, a zero that is zero and strokes of full length. Two numbers
per weight do that: ``rest``, below which an estimate means nothing, and ``gain`` on what is above it, so that the slope
against the truth comes back towards one, as far as the estimate deserves it (r squared). Both are bounded. Afterwards
the standard deviations are scaled so that they are honest for the calibrated estimates, with and without a neutral.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.tracking.landmark_prior import LANDMARK_PRIOR_PATH, LandmarkPrior

from .dataset import CHECKED, load_detections
from .evaluate import predict_grouped

__all__ = ["calibration"]

Floats = npt.NDArray[np.floating[Any]]
_LARGEST_REST, _LARGEST_GAIN = 0.15, 1.6
_STILL = 0.8  # share of the pictures without an action that shall read zero


def calibration(estimate: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """(52,) rest and (52,) gain from (N, 52) estimates of known weights."""
    rest, gain = np.zeros(truth.shape[1]), np.ones(truth.shape[1])
    for i in range(truth.shape[1]):
        absent = truth[:, i] < 0.01
        rest[i] = min(float(np.quantile(estimate[absent, i], _STILL)), _LARGEST_REST) if absent.any() else 0.0
        kept = np.maximum(estimate[:, i] - rest[i], 0)
        both = np.cov(truth[:, i], kept)
        slope = float(both[0, 1] / max(both[0, 0], 1e-9))
        seen = float(both[0, 1] ** 2 / max(both[0, 0] * both[1, 1], 1e-12))  # r squared
        gain[i] = np.clip(1 + seen * (1 / max(slope, 1e-6) - 1), 1.0, _LARGEST_GAIN)
    return rest, gain


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibrate the model of the detector on checked people.")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--model", type=Path, default=LANDMARK_PRIOR_PATH)
    options = parser.parse_args()
    with np.load(options.model, allow_pickle=False) as file:
        arrays = {k: file[k] for k in file.files if k not in ("rest", "gain")}
    header = json.loads(str(arrays["header"][()]))
    prior = LandmarkPrior({k: v for k, v in arrays.items() if k != "header"})
    data = load_detections(options.data)
    data = data.select((data.person % CHECKED == 1) & ~data.unseen)
    weights, _ = predict_grouped(prior, data, True)
    arrays["rest"], arrays["gain"] = (
        v.astype(np.float32) for v in calibration(weights[~data.rest], data.weights[~data.rest])
    )
    last = max(k for k in arrays if k.startswith("layer") and k.endswith("/bias"))
    finished = LandmarkPrior({k: v for k, v in arrays.items() if k != "header"})
    squares = np.zeros(data.weights.shape[1])
    for with_neutral in (True, False):
        estimate, sigma = predict_grouped(finished, data, with_neutral)
        squares += (((estimate - data.weights) / sigma) ** 2).mean(0) / 2
    bias = np.array(arrays[last], np.float32)
    bias[len(squares) :] += np.log(np.clip(np.sqrt(squares), 0.25, 4.0)).astype(np.float32)
    arrays[last] = bias
    header["calibrated on"] = int((~data.rest).sum())
    arrays["header"] = np.array(json.dumps(header, sort_keys=True))
    with tempfile.NamedTemporaryFile(dir=options.model.parent, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(options.model)
    for name, r, g in zip(prior.names, arrays["rest"], arrays["gain"], strict=True):
        print(f"{name:22s} rest {r:.3f} gain {g:.2f}")


if __name__ == "__main__":
    main()
