# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the path from picture to parameters; writes docs/accuracy.json, which docs/accuracy.md explains.

    python -m benchmarks.accuracy [landmarks] [recovery] [neutral] [--clips 20]

``landmarks``: distance of the solved head's landmarks to the detected ones over the outer-eye distance, with the mean
head under pose alone as control. ``recovery``: clips rendered with known parameters, tracked and compared. ``neutral``:
what neutral portraits read as, and smiling ones. Parts that are not asked for keep their last figures.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core import load_head
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.landmark_sets import LIPS, OUTER_EYES
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.faces import create_detector
from smirk_core.tracking.media import open_media
from smirk_core.tracking.observations import Observations
from smirk_core.tracking.solve import Solution, SolveSettings, solve_clip

from .synthetic import SyntheticClip, render_clip, synthetic_clip

Floats = npt.NDArray[np.floating[Any]]
REPORT = Path(__file__).parent.parent / "docs" / "accuracy.json"
KEY_CURVES = {
    "jawOpen": ("jawOpen",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "browDown": ("browDownLeft", "browDownRight"),
    "browInnerUp": ("browInnerUp",),
    "browOuterUp": ("browOuterUpLeft", "browOuterUpRight"),
    "pucker": ("mouthPucker",),
    "gaze": tuple(n for n in ARKIT_NAMES if n.startswith("eyeLook")),
}


def observe(images: Iterable[npt.NDArray[np.uint8]], times: Floats | None = None, video: bool = True) -> Observations:
    """Detect the largest face in every picture."""
    found: list[Floats] = []
    size = (0, 0)
    with create_detector(video=video) as detector:
        for image in images:
            size = (image.shape[1], image.shape[0])
            faces = detector.detect(image)
            found.append(faces[0] if faces else np.full((478, 3), np.nan, np.float32))
        name = detector.name
    landmarks = np.stack(found).astype(np.float32)
    times = np.arange(len(found)) / 25 if times is None else times
    return Observations(times, landmarks, np.isfinite(landmarks[:, 0, 0]).astype(float), *size, name)


def landmark_error(
    model: HeadModel, seen: Observations, identity: Floats, groups: dict[str, Floats]
) -> dict[str, float]:
    """Mean distance over the outer-eye distance, all 478 points and lips alone, over the frames with a face."""
    frames = np.flatnonzero(np.isfinite(seen.landmarks[:, 0, 0]))
    one = {k: v[frames] for k, v in groups.items()} | {"identity": np.repeat(identity[None], len(frames), 0)}
    points = landmark_points(model, decode(model, one).vertices, model.landmarks["mediapipe_478"])
    placed = project(points, one["camera"])[..., :2]
    there = seen.landmarks[frames, :, :2]
    yard = np.linalg.norm(there[:, OUTER_EYES[0]] - there[:, OUTER_EYES[1]], axis=1)
    distance = np.linalg.norm(placed - there, axis=2) / yard[:, None]
    return {"all": float(distance.mean()), "lips": float(distance[:, LIPS].mean())}


def pose_only(model: HeadModel, seen: Observations) -> tuple[Floats, dict[str, Floats]]:
    """The control: the mean head without expression, only posed."""
    still = replace(
        model,
        expression_range=(0.0, 0.0),
        expression_basis=0 * model.expression_basis,
        eyelid_basis=0 * model.eyelid_basis,
        corrective_basis=0 * model.corrective_basis,
        skinning_weights=np.eye(5, dtype=np.float32)[np.ones(len(model.template), int)],
    )
    none = SolveSettings(identity=tuple(np.zeros(model.identity_size)), learned_prior=False)
    solution = solve_clip(still, seen, none)
    keep = {k: v if k in ("rotation", "camera") else 0 * v for k, v in solution.groups.items()}
    return np.zeros(model.identity_size), keep


def measure_landmarks(model: HeadModel, media: Path, faces: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    inputs: dict[str, list[Observations]] = {}
    for file in ("photo_256.png", "interview_720p.mp4", "grid_bbaf2n.mpg", "grid_lrwp9a.mpg", "grid_swiz3n.mpg"):
        source = open_media(media / file)
        frames = list(source.frames())
        inputs[file] = [
            observe((f.image for f in frames), np.array([f.time for f in frames]), video=source.info.kind != "photo")
        ]
    portraits = sorted((faces / "eval").glob("*.jpg"))[::5][:50]
    inputs["50 portraits"] = [observe([next(open_media(p).frames()).image], video=False) for p in portraits]
    for name, many in inputs.items():
        rows = []
        for seen in many:
            solution = solve_clip(model, seen)
            ours = landmark_error(model, seen, solution.identity, solution.groups)
            control = landmark_error(model, seen, *pose_only(model, seen))
            rows.append([ours["all"], ours["lips"], control["all"], control["lips"]])
        mean = np.mean(rows, axis=0)
        result[name] = dict(zip(("all", "lips", "pose only, all", "pose only, lips"), map(float, mean), strict=True))
        print(f"{name:22s}", *(f"{v:.4f}" for v in mean), flush=True)
    return result


def _curve(true: Floats, found: Floats) -> dict[str, float]:
    active, still = true > 0.02, true < 1e-3
    spread = true.var()
    return {
        "r": float(np.corrcoef(true, found)[0, 1]) if spread > 0 and found.std() > 0 else 0.0,
        "slope": float(np.cov(true, found)[0, 1] / max(true.var(ddof=1), 1e-12)),
        "active error": float(np.abs(true - found)[active].mean()) if active.any() else 0.0,
        "inactive": float(np.abs(found[still]).mean()) if still.any() else 0.0,
    }


def _jitter(true: Floats, found: Floats) -> float:
    """Root mean square second difference of the found curves wherever the true ones move evenly or rest."""
    even = np.abs(np.diff(true, 2, axis=0)) < 1e-3
    return float(np.sqrt((np.diff(found, 2, axis=0)[even] ** 2).mean()))


def _lag(true: Floats, found: Floats) -> float:
    """Frames by which the found curves follow the true ones: the peak of their correlation, to a tenth."""
    n, active = len(true), true.std(0) > 0.05
    middle = true[3 : n - 3, active].ravel()
    score = [np.corrcoef(middle, found[3 + lag : n - 3 + lag, active].ravel())[0, 1] for lag in range(-3, 4)]
    best = int(np.clip(np.argmax(score), 1, 5))
    a, b, c = score[best - 1 : best + 2]
    return float(best - 3 + 0.5 * (a - c) / (a - 2 * b + c))


def measure_recovery(model: HeadModel, count: int, cache: Path | None) -> dict[str, Any]:
    true, found, jitters, alone_jitters, lags, loose_lags, identities = [], [], [], [], [], [], []
    for seed in range(count):
        clip = synthetic_clip(model, seed)
        seen = _observed(model, clip, cache)
        solution = solve_clip(model, seen)
        weights = arkit_from_groups(model, solution.groups)
        true.append(clip.weights)
        found.append(weights)
        jitters.append(_jitter(clip.weights, weights))
        lags.append(_lag(clip.weights, weights))
        loose = arkit_from_groups(model, solve_clip(model, seen, SolveSettings(smoothing=0.0)).groups)
        loose_lags.append(_lag(clip.weights, loose))
        identities.append(_identity_error(model, clip, solution))
        if seed < 2:
            alone = [solve_clip(model, _frame(seen, i)) for i in range(len(seen.times))]
            each = np.concatenate([arkit_from_groups(model, s.groups) for s in alone])
            alone_jitters.append(_jitter(clip.weights, each))
        print(f"clip {seed}: r {np.corrcoef(clip.weights.ravel(), weights.ravel())[0, 1]:.3f}", flush=True)
    all_true, all_found = np.concatenate(true), np.concatenate(found)
    curves = {n: _curve(all_true[:, i], all_found[:, i]) for n, i in ARKIT_INDEX.items()}
    groups = {}
    for name, members in KEY_CURVES.items():
        index = [ARKIT_INDEX[m] for m in members]
        groups[name] = _curve(all_true[:, index].ravel(), all_found[:, index].ravel())
    result = {
        "clips": count,
        "frames": len(all_true),
        "mean r over 52": float(np.mean([c["r"] for c in curves.values()])),
        "pooled r": float(np.corrcoef(all_true.ravel(), all_found.ravel())[0, 1]),
        "inactive": float(np.abs(all_found[all_true < 1e-3]).mean()),
        "jitter": float(np.mean(jitters[:2])),
        "jitter of per-frame fitting": float(np.mean(alone_jitters)),
        "lag in frames": float(np.mean(lags)),
        "lag in frames without smoothing": float(np.mean(loose_lags)),
        "shape error mm": float(np.mean(identities)),
        "groups": groups,
        "curves": curves,
    }
    for name, c in (groups | curves).items():
        print(f"{name:22s}", *(f"{k} {v:.3f}" for k, v in c.items()))
    print({k: v for k, v in result.items() if not isinstance(v, dict)})
    return result


def _frame(seen: Observations, i: int) -> Observations:
    return Observations(
        seen.times[i : i + 1],
        seen.landmarks[i : i + 1],
        seen.visibility[i : i + 1],
        seen.width,
        seen.height,
        seen.detector,
    )


def _observed(model: HeadModel, clip: SyntheticClip, cache: Path | None) -> Observations:
    """Render and detect; kept in ``cache`` because rendering is slow and the head seldom changes."""
    file = cache / f"{model.digest[:12]}-{clip.seed}.npz" if cache else None
    if file and file.exists():
        landmarks = np.load(file)["landmarks"]
        return Observations(clip.times, landmarks, np.isfinite(landmarks[:, 0, 0]).astype(float), 384, 384, "cached")
    seen = observe(render_clip(model, clip), clip.times)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, landmarks=seen.landmarks)
    return seen


def _identity_error(model: HeadModel, clip: SyntheticClip, solution: Solution) -> float:
    """Mean vertex distance of the face in millimetres after the best similarity, neutral expression."""
    both = np.stack([clip.parameters["identity"][0], solution.identity])
    meshes = decode(model, {"identity": both}).vertices[:, model.regions["face"]].astype(float)
    a, b = (m - m.mean(0) for m in meshes)
    u, s, vt = np.linalg.svd(b.T @ a)
    turn = u @ vt
    scale = s.sum() / (b * b).sum()
    return float(1e3 * np.linalg.norm(a - scale * b @ turn, axis=1).mean())


def measure_neutral(model: HeadModel, faces: Path, media: Path) -> dict[str, Any]:
    """Neutral and smiling portraits of the same 102 people: what each reads as."""
    import csv

    with (faces / "index.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == "eval"]
    sets = {"neutral": "neutral_front", "smiling": "smiling_front"}
    values: dict[str, Floats] = {}
    for name, folder in sets.items():
        paths = [faces / r["file"] for r in rows if folder in r["source_path"]]
        weights = []
        for path in paths:
            solution = solve_clip(model, observe([next(open_media(path).frames()).image], video=False))
            weights.append(arkit_from_groups(model, solution.groups)[0])
        values[name] = np.stack(weights)
    source = list(open_media(media / "interview_720p.mp4").frames())
    seen = observe((f.image for f in source), np.array([f.time for f in source]))
    interview = arkit_from_groups(model, solve_clip(model, seen).groups)
    last = interview[2 * len(interview) // 3 :]

    def mean(w: Floats, *names: str) -> float:
        return float(np.mean([w[:, ARKIT_INDEX[n]].mean() for n in names]))

    down, smile = ("browDownLeft", "browDownRight"), ("mouthSmileLeft", "mouthSmileRight")
    order = values["smiling"][:, [ARKIT_INDEX[s] for s in smile]].mean(1)[:, None] > values["neutral"][
        :, [ARKIT_INDEX[s] for s in smile]
    ].mean(1)
    result = {
        "browDown, neutral portraits": mean(values["neutral"], *down),
        "browInnerUp, neutral portraits": mean(values["neutral"], "browInnerUp"),
        "smile, neutral portraits": mean(values["neutral"], *smile),
        "smile, smiling portraits": mean(values["smiling"], *smile),
        "share of pairs where smiling > neutral, all pairs": float(order.mean()),
        "sum of weights over .3, neutral": float((values["neutral"] > 0.3).sum(1).mean()),
        "browDown, angry last third of the interview": mean(last, *down),
        "browDown, first two thirds": mean(interview[: 2 * len(interview) // 3], *down),
    }
    for k, v in result.items():
        print(f"{k:55s} {v:.3f}")
    order_of_mean = np.argsort(-values["neutral"].mean(0))[:8]
    print(
        "largest on neutral:", {ARKIT_NAMES[i]: round(float(values["neutral"][:, i].mean()), 3) for i in order_of_mean}
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["landmarks", "recovery", "neutral"])
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--cache", type=Path, help="folder that keeps detections on rendered clips")
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    model = load_head("open")
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    for part in options.parts:
        if part == "landmarks":
            report[part] = measure_landmarks(model, options.media, options.faces)
        elif part == "recovery":
            report[part] = measure_recovery(model, options.clips, options.cache)
        else:
            report[part] = measure_neutral(model, options.faces, options.media)
        report[part]["machine"] = f"{platform.machine()}, Python {platform.python_version()}"
        report[part]["head"] = model.digest[:12]
        report[part]["command"] = f"python -m benchmarks.accuracy {part}"
    if not options.no_report:
        REPORT.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
