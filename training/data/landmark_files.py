# SPDX-License-Identifier: Apache-2.0
"""Landmark files of others: MediaPipe's as arrays, FAN's as arrays or as lists with gaps.

Source: specification, section 8. Pickles are read as data; nothing in them is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.errors import AssetError, TrainingError
from smirk_core.heads.safe_pickle import load_npy, load_pickle

__all__ = ["bridged", "fan_frames", "mediapipe_frames"]

Floats = npt.NDArray[np.floating[Any]]


def mediapipe_frames(path: Path) -> Floats:
    """(frames, 478, 3) pixels of an ``.npy`` file, one frame for a photo.

    Raises:
        TrainingError: missing, damaged, or something else.
    """
    points = _array(path)
    points = points[None] if points.ndim == 2 else points
    if points.ndim != 3 or points.shape[1:] != (478, 3) or not len(points):
        raise TrainingError(f"{path} holds an array {points.shape}, not MediaPipe's 478 landmarks.")
    return points


def fan_frames(stem: Path) -> list[Floats | None] | Floats | None:
    """FAN landmarks beside a photo or video, without its suffix: None where there is no file.

    Returns:
        Of a photo (``.npy``): (faces, 68, 2). Of a video (``.pkl``): for each frame (68, 2), gaps bridged, or None
        throughout where no frame has any.

    Raises:
        TrainingError: the file is damaged or something else.
    """
    array, listed = stem.parent / f"{stem.name}.npy", stem.parent / f"{stem.name}.pkl"
    if array.exists():
        points = _array(array)
        points = points[None] if points.ndim == 2 else points
        if points.ndim != 3 or points.shape[1:] != (68, 2):
            raise TrainingError(f"{array} holds an array {points.shape}, not FAN's 68 landmarks.")
        return points
    if not listed.exists():
        return None
    try:
        frames = load_pickle(listed)
    except AssetError as error:
        raise TrainingError(str(error)) from error
    if not isinstance(frames, list | tuple) or not all(f is None or np.shape(f) == (68, 2) for f in frames):
        raise TrainingError(f"{listed} is not a list of FAN's 68 landmarks for each frame.")
    return bridged([None if f is None else np.asarray(f, np.float64) for f in frames])


def bridged(frames: list[Floats | None]) -> list[Floats | None]:
    """Landmarks with gaps interpolated, and both ends repeated outwards."""
    known = np.array([i for i, f in enumerate(frames) if f is not None], int)
    if not len(known):
        return frames
    values = np.stack([f for f in frames if f is not None]).reshape(len(known), -1)
    at = np.arange(len(frames))
    after = np.clip(np.searchsorted(known, at), 1, len(known) - 1) if len(known) > 1 else np.zeros(len(at), int)
    before = np.maximum(after - 1, 0)
    span = np.maximum(known[after] - known[before], 1)
    share = np.clip((at - known[before]) / span, 0, 1)[:, None]
    full = (1 - share) * values[before] + share * values[after]
    return list(full.reshape(len(frames), *np.shape(frames[known[0]])))


def _array(path: Path) -> Floats:
    try:
        points = load_npy(path)
    except AssetError as error:
        raise TrainingError(str(error)) from error
    if points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise TrainingError(f"{path} does not hold finite numbers.")
    return points.astype(np.float64)
