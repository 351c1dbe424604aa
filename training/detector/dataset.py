# SPDX-License-Identifier: Apache-2.0
"""Shards of detections to aligned landmarks in memory, with the split into people seen and unseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.tracking.landmark_prior import align

from ..data.mediapipe_points import STABLE, canonical_mesh

__all__ = ["CHECKED", "Detections", "load_detections", "reference_face"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_HELD_OUT = 10  # one person in ten is never trained on
CHECKED = 20  # one person in twenty is kept from the weights and sets the scale of the uncertainty


@dataclass(frozen=True)
class Detections:
    """N pictures.

    Attributes:
        points: (N, 478, 3) float32, aligned to the reference face.
        rotation: (N, 3) as aligned; turn: (N, 3) the true head rotation.
        weights: (N, 52) true ARKit weights.
        group: (N,) pictures of one person and film; person: (N,); rest: (N,) bool neutral; task: (N,) bool back end.
        real: (N,) bool, from a re-posed portrait. landmarks: (N, 478, 3) float32 pixels, as detected.
    """

    points: Floats
    rotation: Floats
    turn: Floats
    weights: Floats
    group: Ints
    person: Ints
    rest: npt.NDArray[np.bool_]
    task: npt.NDArray[np.bool_]
    real: npt.NDArray[np.bool_]
    landmarks: Floats

    def select(self, mask: npt.NDArray[Any]) -> Detections:
        """Some of the pictures."""
        return Detections(**{k: v[mask] for k, v in self.__dict__.items()})

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """(N,) True for people who are kept for evaluation."""
        return self.person % _HELD_OUT == 0


def reference_face() -> tuple[Floats, Floats]:
    """(478, 3) MediaPipe's canonical face in decimetres with irises in the eyes, and the (478,) alignment weights."""
    mesh = canonical_mesh() / 10
    right, left = mesh[[33, 133]].mean(0), mesh[[362, 263]].mean(0)
    points = np.concatenate([mesh, np.repeat(right[None], 5, 0), np.repeat(left[None], 5, 0)])
    weight = np.zeros(len(points))
    weight[STABLE] = 1.0
    return points, weight


def load_detections(folders: Iterable[Path], stride: int = 1) -> Detections:
    """Read all shards of some folders.

    Raises:
        FileNotFoundError: there is no shard.
    """
    files = sorted(f for folder in folders for f in Path(folder).glob("*_*_*.npz"))[::stride]
    if not files:
        raise FileNotFoundError("no shards found; run training.detector.generate first")
    reference, weight = reference_face()
    parts: dict[str, list[npt.NDArray[Any]]] = {k: [] for k in Detections.__dataclass_fields__}
    for number, file in enumerate(files):
        with np.load(file, allow_pickle=False) as shard:
            landmarks = shard["landmarks"]
            if len(landmarks) == 0:
                continue
            aligned = align(landmarks, reference, weight)
            parts["points"].append(aligned.points.astype(np.float32))
            parts["rotation"].append(aligned.rotation.astype(np.float32))
            parts["turn"].append(shard["turn"].astype(np.float32))
            parts["weights"].append(shard["weights"].astype(np.float32))
            parts["group"].append(shard["group"].astype(np.int64) + 1_000_000 * number)
            parts["person"].append(shard["person"].astype(np.int64))
            parts["rest"].append(shard["rest"].astype(bool))
            parts["task"].append(shard["task"].astype(bool))
            parts["real"].append(np.full(len(landmarks), file.name.startswith("portraits")))
            parts["landmarks"].append(landmarks)
    return Detections(**{k: np.concatenate(v) for k, v in parts.items()})
