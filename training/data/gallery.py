# SPDX-License-Identifier: Apache-2.0
"""The portraits that may be re-posed: fitted once, kept as numbers, opened when asked for.

Only the training split is ever used; near-neutral photos are preferred, because the skin of a laugh stays a laugh
whatever the head below it does.
"""

from __future__ import annotations

import csv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head
from smirk_core.tracking.landmark_prior import load_landmark_prior

from .detection import PictureDetector
from .fit import Fit, PictureFitter
from .portraits import Portrait, load_picture
from .symmetry import vertex_partners

__all__ = ["Gallery", "fit_gallery"]

Floats = npt.NDArray[np.floating[Any]]
_GROUPS = ("identity", "rotation", "camera", "jaw", "eyes", "eyelids", "expression")
_BROW_WEIGHTS = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
_LARGEST_ERROR = 0.005  # metres; a worse fit makes a worse picture
_LIVELIEST = 2.5  # sum of mouth weights beyond which a photo is not used


def _people(folder: Path) -> dict[str, str]:
    """File name -> who it shows, from ``index.csv`` beside the folder: the same picture name is the same person."""
    index = folder.parent / "index.csv"
    if not index.exists():
        return {}
    with index.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {Path(r["file"]).name: Path(r["source_path"]).stem.lower() for r in rows if r["split"] == folder.name}


def _fit_files(files: list[Path], prior_file: Path | None) -> list[tuple[str, Fit]]:
    model = load_open_head(OPEN_HEAD_PATH)
    prior = None if prior_file is None else load_landmark_prior(prior_file)
    # Brows at rest: which low brow is a frown cannot be told from one photo, and over many people none frowns.
    fitter = PictureFitter(
        model, model.landmarks["mediapipe_478"], held=_BROW_WEIGHTS, expression_spread=0.4, prior=prior
    )
    out = []
    with PictureDetector("facemesh") as detector:
        for file in files:
            found = detector(load_picture(file))
            if found is not None:
                out.append((str(file), fitter(found)))
    return out


def fit_gallery(folder: Path, path: Path, processes: int = 2, prior_file: Path | None = None) -> None:
    """Fit every portrait of a folder and write the parameters to ``path``.

    With ``prior_file``, an earlier model of the detector, a smile is recognised as one and does not stay behind in the
    re-posed face at rest.
    """
    files = sorted(folder.glob("*.jpg"))
    with ProcessPoolExecutor(processes) as pool:
        parts = [pool.submit(_fit_files, files[i :: 4 * processes], prior_file) for i in range(4 * processes)]
        fitted = sorted((item for p in parts for item in p.result()), key=lambda item: item[0])
    people = _people(folder)
    arrays: dict[str, Any] = {n: np.concatenate([f.groups[n] for _, f in fitted]).astype(np.float32) for n in _GROUPS}
    arrays["name"] = np.array([name for name, _ in fitted])
    arrays["person"] = np.array([people.get(Path(name).name, Path(name).stem) for name, _ in fitted])
    arrays["error"] = np.array([f.error for _, f in fitted])
    np.savez(path, **arrays)
    print(f"{len(fitted)} of {len(files)} portraits fitted, median error {1e3 * np.median(arrays['error']):.2f} mm")


@dataclass(frozen=True)
class Gallery:
    """Fitted portraits; ``usable`` are rows worth re-posing."""

    model: HeadModel
    rows: dict[str, npt.NDArray[Any]]
    usable: npt.NDArray[np.integer[Any]]
    partner: npt.NDArray[np.integer[Any]]

    @staticmethod
    def load(path: Path, model: HeadModel) -> Gallery:
        """Read fits made for the same head."""
        with np.load(path, allow_pickle=False) as file:
            rows = {k: file[k] for k in file.files}
        weights = arkit_from_groups(model, {n: rows[n] for n in ("expression", "eyelids", "jaw", "eyes")})
        mouth = [i for n, i in ARKIT_INDEX.items() if n.startswith(("mouth", "jaw"))]
        turned = np.linalg.norm(rows["rotation"], axis=1)
        good = (rows["error"] < _LARGEST_ERROR) & (weights[:, mouth].sum(1) < _LIVELIEST) & (turned < 0.6)
        return Gallery(model, rows, np.flatnonzero(good), vertex_partners(model))

    def pick(self, rng: np.random.Generator) -> tuple[Portrait, str]:
        """A random portrait and the name of its person."""
        i = int(rng.choice(self.usable))
        fit = Fit({n: self.rows[n][i : i + 1].astype(np.float64) for n in _GROUPS}, float(self.rows["error"][i]))
        picture = load_picture(Path(str(self.rows["name"][i])))
        return Portrait.prepare(self.model, picture, fit, self.partner), str(self.rows["person"][i])
