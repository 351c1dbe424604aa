# SPDX-License-Identifier: Apache-2.0
"""As few keys as possible: straight lines between the kept ones stay within a stated distance of every frame.

Method: Ramer 1972 / Douglas & Peucker 1973 with the distance measured along the value, for all curves at once. Each
round splits every piece that is off anywhere at its worst frame; then keys that their neighbours can do without are
dropped. Between frames both curves are straight, so what holds at the frames holds everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["kept_keys"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_PATIENCE = 24  # rounds after which pieces are also halved: curves that split badly still end soon
_PRUNING = 6  # rounds of dropping keys; hardly any are left to drop after that


def kept_keys(times: Floats, values: Floats, tolerance: Floats | float) -> npt.NDArray[np.bool_]:
    """Which frames to key.

    Args:
        times: (N,) increasing.
        values: (G, D, N): G curves of D components each, which are keyed together (a quaternion has 4).
        tolerance: largest deviation, in the unit of the values: a number or (G, D).

    Returns:
        (G, N) True where curve g needs a key. First and last are always kept.

    Raises:
        ValueError: a tolerance is not above 0.
    """
    count, _, n = values.shape
    bound = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), values.shape[:2])
    if not (bound > 0).all():
        raise ValueError(f"tolerances must be above 0, got {bound.min()}")
    scaled = np.ascontiguousarray(np.moveaxis(values / bound[..., None], 1, 2))  # (G, N, D), the bound is 1
    keep = np.zeros((count, n), dtype=bool)
    keep[:, [0, -1]] = True
    curve = np.arange(count)
    start, end = np.zeros(count, dtype=np.intp), np.full(count, n - 1)
    rounds = 0
    while True:
        wide = end - start > 1
        curve, start, end = curve[wide], start[wide], end[wide]
        if not len(curve):
            break
        worst, where = _worst(times, scaled, curve, start, end)
        off = worst > 1.0
        curve, start, end, where = curve[off], start[off], end[off], where[off]
        rounds += 1
        if rounds > _PATIENCE:
            where = (start + end) // 2
        keep[curve, where] = True
        curve, start, end = np.tile(curve, 2), np.concatenate([start, where]), np.concatenate([where, end])
    for turn in range(_PRUNING):
        if not _prune(times, scaled, keep, turn % 2):
            break
    return keep


def _worst(times: Floats, values: Floats, curve: Ints, start: Ints, end: Ints) -> tuple[Floats, Ints]:
    """(S,) the largest deviation inside each piece (of at least one inner frame) from its chord, and its frame."""
    inner = end - start - 1
    first = np.cumsum(inner) - inner
    piece = np.repeat(np.arange(len(curve)), inner)
    frame = np.arange(len(piece)) - np.repeat(first - start - 1, inner)
    low, high = values[curve, start], values[curve, end]
    slope = (high - low) / (times[end] - times[start])[:, None]
    chord = low[piece] + slope[piece] * (times[frame] - times[start][piece])[:, None]
    off = np.abs(values[curve[piece], frame] - chord).max(axis=1)
    worst = np.maximum.reduceat(off, first)
    hits = np.flatnonzero(off == worst[piece])
    _, earliest = np.unique(piece[hits], return_index=True)
    return worst, frame[hits[earliest]]


def _prune(times: Floats, values: Floats, keep: npt.NDArray[np.bool_], odd: int) -> bool:
    """Drop every second inner key that its neighbours can do without; whether there may be more to drop."""
    curve, frame = np.nonzero(keep)
    rank = np.cumsum(keep, axis=1)[curve, frame]
    inner = (frame > 0) & (frame < keep.shape[1] - 1) & (rank % 2 == odd)
    place = np.flatnonzero(inner)
    if not len(place):
        return odd == 0
    worst, _ = _worst(times, values, curve[place], frame[place - 1], frame[place + 1])
    spare = place[worst <= 1.0]
    keep[curve[spare], frame[spare]] = False
    return len(spare) > 0 or odd == 0
