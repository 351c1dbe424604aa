# SPDX-License-Identifier: Apache-2.0
"""Does a neutral face come out neutral, and a frown as a frown? Solved weights on people who were never trained on.

python -m training.landmarks.evaluate --faces ../shared/faces --clip ../shared/media/interview_720p.mp4
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.observations import Observations
from smirk_core.tracking.solve import SolveSettings, solve_clip

from ..data.detection import Backend, PictureDetector
from ..data.portraits import load_picture

__all__ = ["photo_weights"]

Floats = npt.NDArray[np.floating[Any]]


def photo_weights(model: HeadModel, points: Floats, settings: SolveSettings) -> tuple[Floats, float]:
    """(52,) weights of one photo by the product's solve, and its landmark error in metres."""
    observation = Observations(np.zeros(1), points[None].astype(np.float32), np.ones(1, np.float32), 512, 512)
    solved = solve_clip(model, observation, settings)
    return arkit_from_groups(model, solved.groups)[0], float(solved.error[0])


def _clip(path: Path, backend: Backend) -> Floats:
    import av

    with av.open(str(path)) as container, PictureDetector(backend) as detector:
        found = [detector(np.asarray(f.to_ndarray(format="rgb24"), np.uint8)) for f in container.decode(video=0)]
    return np.array([np.full((478, 3), np.nan) if f is None else f for f in found], np.float32)


def _mean(weights: Floats, name: str) -> float:
    columns = [ARKIT_INDEX[n] for n in (name, name + "Left", name + "Right") if n in ARKIT_INDEX]
    return float(weights[..., columns].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Check the neutral of the landmark embedding on unseen people.")
    parser.add_argument("--faces", type=Path, required=True, help="folder with index.csv and eval/")
    parser.add_argument("--clip", type=Path, default=None, help="a clip that ends in a frown")
    parser.add_argument("--backend", choices=("facemesh", "task"), default="facemesh")
    parser.add_argument("--no-prior", action="store_true", help="leave the learned model of the detector out")
    parser.add_argument("--limit", type=int, default=102)
    options = parser.parse_args()
    model, settings = load_head(), SolveSettings(learned_prior=not options.no_prior)
    with (options.faces / "index.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == "eval"]
    for kind in ("neutral_front", "smiling_front"):
        files = [r["file"] for r in rows if f"/{kind}/" in r["source_path"]][: options.limit]
        with PictureDetector(options.backend) as detector:
            found = [detector(load_picture(options.faces / f)) for f in files]
        results = [photo_weights(model, f, settings) for f in found if f is not None]
        weights, error = np.array([w for w, _ in results]), np.array([e for _, e in results])
        print(f"{kind}: {len(results)} people, landmark error {1e3 * error.mean():.2f} mm")
        names = ("browDown", "browInnerUp", "browOuterUp", "mouthSmile", "eyeBlink", "eyeSquint", "eyeWide", "jawOpen",
                 "mouthFrown", "mouthPucker")  # fmt: skip
        print("  " + ", ".join(f"{n} {_mean(weights, n):.3f}" for n in names))
        mean = weights.mean(0)
        print("  largest: " + ", ".join(f"{ARKIT_NAMES[i]} {mean[i]:.2f}" for i in np.argsort(-mean)[:10]))
    if options.clip is not None:
        points = _clip(options.clip, options.backend)
        n = len(points)
        observations = Observations(
            np.arange(n) / 25.0, points, np.isfinite(points[:, 0, 0]).astype(np.float32), 1280, 720
        )
        weights = arkit_from_groups(model, solve_clip(model, observations, settings).groups)
        print(f"{options.clip.name}: {n} frames, thirds of the clip")
        for name in ("browDown", "browInnerUp", "mouthFrown", "mouthSmile", "jawOpen"):
            thirds = [_mean(part, name) for part in np.array_split(weights, 3)]
            print(f"  {name}: " + ", ".join(f"{v:.2f}" for v in thirds))


if __name__ == "__main__":
    main()
