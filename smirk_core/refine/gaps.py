# SPDX-License-Identifier: Apache-2.0
"""Layer ``gaps``: what happens while no face was seen.

======================  ========================================================================================
setting (default)
======================  ========================================================================================
``mode`` (interpolate)  ``interpolate``: straight to the next frame that was seen; ``hold``: stay as last seen
``confidence`` (0)      frames trusted less than this count as lost, too
======================  ========================================================================================

Before the first and after the last frame that was seen the nearest one is held, in both modes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from .layer import Kind, Layer, Performance, check_number
from .regions import GROUP_REGIONS
from .resample import resample

__all__ = ["GAPS", "MODES", "seen_frames"]

Floats = npt.NDArray[np.floating[Any]]
MODES = ("interpolate", "hold")


def seen_frames(groups: Mapping[str, Floats], confidence: float = 0.0) -> npt.NDArray[np.bool_]:
    """(N,) True where a face was seen and the frame is trusted by at least ``confidence``."""
    seen = np.ones(len(next(iter(groups.values()))), dtype=bool)
    if "visibility" in groups:
        seen &= np.asarray(groups["visibility"])[:, 0] >= 0.5
    if "confidence" in groups:
        seen &= np.asarray(groups["confidence"])[:, 0] >= confidence
    return seen


def _bridge(take: Performance, layer: Layer) -> dict[str, Floats]:
    seen = seen_frames(take.groups, layer["confidence"])
    result = dict(take.groups)
    if seen.all() or not seen.any():
        return result
    motion = {k: v for k, v in take.groups.items() if k == "expression" or k in GROUP_REGIONS}
    if layer["mode"] == "hold":
        frames = np.flatnonzero(seen)
        last = frames[np.maximum(np.searchsorted(frames, np.arange(len(seen)), side="right") - 1, 0)]
        return result | {k: v[last] for k, v in motion.items()}
    bridged = resample({k: v[seen] for k, v in motion.items()}, take.times[seen], take.times[~seen])
    for name, values in bridged.items():
        result[name] = take.groups[name].astype(np.float64)  # a copy
        result[name][~seen] = values
    return result


def _check(layer: dict[str, Any]) -> dict[str, Any]:
    if layer["mode"] not in MODES:
        raise TakeError(f"Filter 'gaps': mode must be one of {', '.join(MODES)}, not {layer['mode']}.")
    return layer | {"confidence": check_number(layer, "confidence", 0.0, 1.0)}


GAPS = Kind({"mode": "interpolate", "confidence": 0.0}, _check, _bridge)
