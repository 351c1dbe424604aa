# SPDX-License-Identifier: Apache-2.0
"""Layer ``offset``: the performance later (+) or earlier (-) by ``seconds`` (0), against its time stamps.

The take keeps its time stamps, so that it stays in step with its footage as a file; the ends are held. A shift by
whole frames of an even rate moves values without changing them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .layer import Kind, Layer, Performance, check_number
from .resample import resample

__all__ = ["OFFSET"]

Floats = npt.NDArray[np.floating[Any]]
_STAMP = 1e-6  # seconds; a sum of floats that misses a time stamp by less means it


def _shift(take: Performance, layer: Layer) -> dict[str, Floats]:
    if layer["seconds"] == 0 or len(take.times) == 1:
        return dict(take.groups)
    at = take.times - layer["seconds"]
    nearest = np.clip(np.searchsorted(take.times, at), 1, len(at) - 1)
    nearest = np.where(np.abs(take.times[nearest - 1] - at) < np.abs(take.times[nearest] - at), nearest - 1, nearest)
    at = np.where(np.abs(take.times[nearest] - at) < _STAMP, take.times[nearest], at)
    return resample(take.groups, take.times, at)


def _check(layer: dict[str, Any]) -> dict[str, Any]:
    return layer | {"seconds": check_number(layer, "seconds", -3600.0, 3600.0)}


OFFSET = Kind({"seconds": 0.0}, _check, _shift)
