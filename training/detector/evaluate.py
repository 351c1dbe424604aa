# SPDX-License-Identifier: Apache-2.0
"""How well the model of the detector reads people it has never seen, and the plain landmark fit as control.

    python -m training.detector.evaluate --data DIR [--model FILE] [--control 200] [--output FILE.json]

Correlation r, slope (estimate against truth), mean absolute error on active (> 0.3) and inactive (< 0.02) weights, and
z, the standard deviation of (estimate - truth) / sigma: 1 means that the stated uncertainty is right.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.landmark_prior import LANDMARK_PRIOR_PATH, LandmarkPrior, load_landmark_prior

from .dataset import Detections, load_detections

__all__ = ["PROMISED", "Score", "predict_grouped", "score"]

Floats = npt.NDArray[np.floating[Any]]
# What the product promises to follow; pairs are averaged.
PROMISED = ("jawOpen", "mouthSmile", "eyeBlink", "browDown", "browInnerUp", "browOuterUp", "mouthPucker", "eyeLookUp",
            "eyeLookDown", "eyeLookIn", "eyeLookOut")  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Figures of one estimator: over all weights together, and per weight (52,)."""

    pooled: float
    mean: float
    active: float
    inactive: float
    z: float
    r: Floats
    slope: Floats

    def summary(self) -> dict[str, float]:
        """The single numbers, rounded."""
        return {k: round(v, 4) for k, v in self.__dict__.items() if isinstance(v, float) and v == v}

    def line(self, title: str) -> str:
        return (
            f"{title}: pooled r {self.pooled:.3f}, mean r {self.mean:.3f}, "
            f"MAE active {self.active:.3f} inactive {self.inactive:.3f}, z {self.z:.2f}"
        )


def score(estimate: Floats, truth: Floats, sigma: Floats | None = None) -> Score:
    """Compare (N, 52) estimates with the truth."""
    e, t = estimate - estimate.mean(0), truth - truth.mean(0)
    covariance, spread = (e * t).mean(0), (t * t).mean(0)
    r = covariance / np.sqrt(np.maximum(spread * (e * e).mean(0), 1e-12))
    error = np.abs(estimate - truth)
    z = float("nan") if sigma is None else float(np.sqrt((((estimate - truth) / sigma) ** 2).mean()))
    return Score(
        pooled=float(np.corrcoef(estimate.ravel(), truth.ravel())[0, 1]),
        mean=float(r.mean()),
        active=float(error[truth > 0.3].mean()),
        inactive=float(error[truth < 0.02].mean()),
        z=z,
        r=r,
        slope=covariance / np.maximum(spread, 1e-12),
    )


def predict_grouped(prior: LandmarkPrior, data: Detections, with_neutral: bool) -> tuple[Floats, Floats]:
    """Estimates and sigmas (N, 52), each group with its own neutral pictures and its own back end."""
    weights = np.zeros((len(data.weights), len(ARKIT_NAMES)))
    sigma = np.ones_like(weights)
    for group in np.unique(data.group):
        own = np.flatnonzero(data.group == group)
        rest = own[data.rest[own]]
        neutral = data.landmarks[rest] if with_neutral and len(rest) else None
        found = prior.predict(data.landmarks[own], neutral, "task" if data.task[own[0]] else "facemesh")
        weights[own], sigma[own] = found.weights, found.sigma
    return weights, sigma


def _control(data: Detections, count: int) -> tuple[Floats, npt.NDArray[np.integer[Any]]]:
    """The plain fit, each picture alone, on some of the pictures."""
    from ..data.fit import PictureFitter

    model = load_head()
    fitter = PictureFitter(model, model.landmarks["mediapipe_478"])
    rows = np.random.default_rng(0).permutation(len(data.weights))[:count]
    fits = [fitter(data.landmarks[i]) for i in rows]
    return np.concatenate([arkit_from_groups(model, f.groups) for f in fits]), rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate the model of the detector on unseen people.")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--model", type=Path, default=LANDMARK_PRIOR_PATH)
    parser.add_argument("--control", type=int, default=0, help="pictures for the plain fit")
    parser.add_argument("--output", type=Path, default=None, help="write the figures as JSON")
    options = parser.parse_args()
    prior = load_landmark_prior(options.model)
    data = load_detections(options.data)
    data = data.select(data.unseen)
    figures: dict[str, Any] = {"pictures": len(data.weights), "people": len(np.unique(data.person))}
    print(f"{figures['pictures']} pictures of {figures['people']} unseen people")
    best = None
    for source, mask in (("renders", ~data.real), ("portraits", data.real)):
        if not mask.any():
            continue
        part = data.select(mask & ~data.rest)
        # The neutral pictures stay available as references, but are not scored.
        whole = data.select(mask)
        for with_neutral in (True, False):
            weights, sigma = predict_grouped(prior, whole, with_neutral)
            found = score(weights[~whole.rest], part.weights, sigma[~whole.rest])
            title = f"{source}, {'with' if with_neutral else 'without'} neutral"
            print(found.line(title))
            figures[title] = found.summary()
            best = found if with_neutral else best
        calm = predict_grouped(prior, data.select(mask & data.rest), False)[0]
        print(f"  at rest, no neutral known: mean {calm.mean():.3f}, largest " + _largest(calm.mean(0)))
        if best is not None:
            figures[f"{source}, per weight"] = {
                n: [round(float(best.r[i]), 3), round(float(best.slope[i]), 3)] for i, n in enumerate(ARKIT_NAMES)
            }
            for name in PROMISED:
                sides = [i for i, n in enumerate(ARKIT_NAMES) if n in (name, name + "Left", name + "Right")]
                print(f"  {name}: r {best.r[sides].mean():.3f}, slope {best.slope[sides].mean():.2f}")
            order = np.argsort(best.r)
            print("  least seen: " + ", ".join(f"{ARKIT_NAMES[i]} {best.r[i]:.2f}" for i in order[:14]))
        if options.control:
            fitted, rows = _control(part, options.control)
            found = score(fitted, part.weights[rows])
            print(found.line(f"{source}, plain fit (control, {len(rows)} pictures)"))
            figures[f"{source}, plain fit"] = found.summary()
    if options.output is not None:
        options.output.write_text(json.dumps(figures, indent=1))


def _largest(mean: Floats) -> str:
    order = np.argsort(-mean)[:5]
    return ", ".join(f"{ARKIT_NAMES[i]} {mean[i]:.2f}" for i in order)


if __name__ == "__main__":
    main()
