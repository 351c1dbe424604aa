# SPDX-License-Identifier: Apache-2.0
"""Fit the head to a folder of portraits, once: the faces that re-posed photographs are made of.

    python -m training.data.fit_portraits FACES -o FITS.npz [--processes 2] [--limit N]

Resumable: what is fitted is kept in ``FITS.npz.parts`` until the whole folder is done. A portrait is rejected, with its
reason in the report, where no face is found, the fit misses the landmarks, the head is turned too far, or the
expression is so lively that the skin's folds would contradict any other. Only numbers are written, never pictures.

The zero of the fits is that of what is made from them, so neutral comes first: brows are held at rest, since over many
people none frowns, and what the learned model of the detector knows of mouth and lids is the fit's prior; without it
the smile of a portrait would be taken for its neutral.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.errors import TrainingError
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head
from smirk_core.safe_npz import read_arrays

__all__ = ["GROUPS", "REASONS", "fit_portraits", "load_fits", "reject"]

Floats = npt.NDArray[np.floating[Any]]
GROUPS = ("identity", "rotation", "camera", "jaw", "eyes", "eyelids", "expression")
REASONS = ("", "no face", "missed the landmarks", "turned too far", "too lively")
_HELD = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
_LARGEST_ERROR = 0.005  # metres
_FURTHEST = 0.5  # radians
_LIVELIEST = 4.0  # sum of the mouth's weights
_PART = 24  # portraits a part
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def _pictures(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)


def _fit_part(folder: Path, names: list[str], path: Path) -> None:
    """Fit some portraits and write them to a part."""
    from smirk_core.tracking.landmark_prior import load_landmark_prior

    from .detection import PictureDetector
    from .fit import PictureFitter
    from .portraits import load_picture

    model = load_open_head(OPEN_HEAD_PATH)
    fitter = PictureFitter(
        model, model.landmarks["mediapipe_478"], held=_HELD, expression_spread=0.4, prior=load_landmark_prior()
    )
    sizes = {"expression": model.expression_size, "eyelids": 2, "jaw": 3, "eyes": 4, "rotation": 3, "camera": 3}
    sizes["identity"] = fitter.landmarks.identity_size
    rows: dict[str, list[Any]] = {n: [] for n in (*GROUPS, "error", "size")}
    with PictureDetector("facemesh") as detector:
        for name in names:
            try:
                picture = load_picture(folder / name)
                found = detector(picture)
            except OSError:
                picture, found = np.zeros((1, 1, 3), np.uint8), None
            fit = None if found is None else fitter(found)
            rows["error"].append(np.inf if fit is None else fit.error)
            rows["size"].append(picture.shape[1::-1])
            for group in GROUPS:
                rows[group].append(np.zeros(sizes[group]) if fit is None else fit.groups[group][0])
    arrays: dict[str, Any] = {n: np.array(v, np.float32) for n, v in rows.items()}
    _write(path, arrays | {"name": np.array(names)})


def _write(path: Path, arrays: dict[str, Any]) -> None:
    """An .npz under a temporary name, renamed when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.{os.getpid()}.tmp.npz")
    try:
        np.savez(working, **arrays)
        working.replace(path)
    finally:
        working.unlink(missing_ok=True)


def reject(model: HeadModel, fits: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """(N,) why each fit is not used, an index into :data:`REASONS`; 0 where it is."""
    weights = arkit_from_groups(model, {n: fits[n] for n in ("expression", "eyelids", "jaw", "eyes")})
    mouth = [i for n, i in ARKIT_INDEX.items() if n.startswith(("mouth", "jaw"))]
    out = np.zeros(len(fits["error"]), np.uint8)
    out[weights[:, mouth].sum(1) > _LIVELIEST] = 4
    out[np.linalg.norm(fits["rotation"], axis=1) > _FURTHEST] = 3
    out[~(fits["error"] < _LARGEST_ERROR)] = 2
    out[~np.isfinite(fits["error"])] = 1
    return out


def load_fits(path: Path, model: HeadModel) -> dict[str, npt.NDArray[Any]]:
    """Read fits made for the same head: every group (N, size), name, error, size, reason.

    Raises:
        TrainingError: the file is for another head or holds something else.
    """
    try:
        fits = read_arrays(path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"The portrait fits in {path} cannot be read ({error}).") from error
    missing = [n for n in (*GROUPS, "name", "error", "size", "reason", "head") if n not in fits]
    if missing:
        raise TrainingError(f"{path} holds no portrait fits ({missing[0]} is missing): make it with fit_portraits.")
    if str(fits["head"]) != model.digest:
        raise TrainingError(f"{path} was fitted with another head: run training.data.fit_portraits again.")
    return fits


def fit_portraits(
    folder: Path, path: Path, processes: int = 2, limit: int | None = None, minutes: float = 1e9
) -> dict[str, int]:
    """Fit a folder of portraits into ``path``; returns how many there are by reason.

    Args:
        limit: fit so many only, evenly over the folder.
        minutes: begin no further part after so many; ``path`` is then not written, and what is left is "to be fitted".

    Raises:
        TrainingError: the folder holds no pictures.
    """
    names = _pictures(folder)
    if not names:
        raise TrainingError(f"There are no pictures in {folder}.")
    if limit is not None and limit < len(names):  # evenly over the folder, so over its collections
        names = [names[i] for i in np.linspace(0, len(names) - 1, limit).astype(int)]
    model = load_open_head(OPEN_HEAD_PATH)
    chunks = [names[i : i + _PART] for i in range(0, len(names), _PART)]
    kept = path.with_name(path.name + ".parts")
    parts = [kept / (hashlib.sha256("\n".join([model.digest, *c]).encode()).hexdigest()[:16] + ".npz") for c in chunks]
    todo = [(c, p) for c, p in zip(chunks, parts, strict=True) if not p.exists()]
    until = time.monotonic() + 60 * minutes
    if len(todo) <= 1 or processes <= 1:
        for done, (chunk, part) in enumerate(todo, 1):
            _fit_part(folder, chunk, part)
            print(f"{done} of {len(todo)} parts", flush=True)
            if time.monotonic() > until:
                break
    else:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:  # torch may have threads
            waiting = [pool.submit(_fit_part, folder, chunk, part) for chunk, part in todo]
            for done, future in enumerate(as_completed(waiting), 1):
                if future.cancelled():
                    continue
                future.result()
                print(f"{done} of {len(todo)} parts", flush=True)
                if time.monotonic() > until:
                    for other in waiting:
                        other.cancel()  # those that run are awaited
    left = sum(len(c) for c, p in todo if not p.exists())
    if left:
        return {"to be fitted": left}
    read = [read_arrays(p) for p in parts]
    fits: dict[str, Any] = {n: np.concatenate([r[n] for r in read]) for n in read[0]}
    fits["reason"] = reject(model, fits)
    fits["head"] = np.array(model.digest)
    _write(path, fits)
    for part in parts:
        part.unlink()
    if not any(kept.iterdir()):
        kept.rmdir()
    return {REASONS[i] or "used": int((fits["reason"] == i).sum()) for i in range(len(REASONS))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    print(json.dumps(fit_portraits(given.faces, given.output, given.processes, given.limit)))


if __name__ == "__main__":
    main()
