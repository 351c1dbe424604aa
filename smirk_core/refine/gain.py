# SPDX-License-Identifier: Apache-2.0
"""Layer ``gain``: more or less of a region's motion.

``gain`` (1): a number from 0 to 4, or one per region; besides the regions there is ``gaze``, so that ``eyes`` are the
lids and what is around them. Weights are cut off at 1, the jaw at its range. ``head`` turns the head further from, or
nearer to, facing the camera; where it is in the picture stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.parameters import FRAME_GROUPS
from ..heads.rotation import continuous_quaternions, quaternion_from_rotvec
from .layer import Kind, Layer, Performance
from .regions import REGIONS, channel_values, check_regions, region_of_expression
from .resample import TURNS, rotvec_from_quaternion

__all__ = ["GAIN", "GAIN_REGIONS"]

Floats = npt.NDArray[np.floating[Any]]
GAIN_REGIONS = (*REGIONS, "gaze")
_RANGES = {g.name: (g.low, g.high) for g in FRAME_GROUPS}
_MOVING = ("expression", "eyelids", "jaw", "eyes", *TURNS)


def _scale_turns(vectors: Floats, gain: float) -> Floats:
    """(N, 3) rotation vectors times ``gain``, without a jump where the vectors flip at half a turn."""
    q = continuous_quaternions(quaternion_from_rotvec(vectors))
    sine = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    half = gain * np.arctan2(sine, q[:, :1])
    axis = q[:, 1:] / np.where(sine < 1e-12, 1.0, sine)
    return rotvec_from_quaternion(np.concatenate([np.cos(half), np.sin(half) * axis], axis=1))


def _amplify(take: Performance, layer: Layer) -> dict[str, Floats]:
    gains, result = layer["gain"], dict(take.groups)
    for name in _MOVING:
        if name not in take.groups:
            continue
        values = np.asarray(take.groups[name], np.float64)
        if name == "eyes":
            factor = np.full(values.shape[1], gains.get("gaze", 1.0))
        else:
            factor = channel_values(name, values.shape[1], gains, take.names, 1.0)
        if (factor == 1.0).all():
            continue
        if name in TURNS:
            result[name] = _scale_turns(values, float(factor[0]))
            continue
        low, high = _RANGES[name]
        limited = np.clip(values * factor, np.minimum(low, values), np.maximum(high, values))
        if name == "expression":  # nameless components have no range
            endless = np.array([region_of_expression(n) is None for n in take.names], dtype=bool)
            limited = np.where(endless, values * factor, limited)
        result[name] = np.where(factor == 1.0, take.groups[name], limited)
    return result


def _check(layer: dict[str, Any]) -> dict[str, Any]:
    return layer | {"gain": check_regions("gain", layer["gain"], "gain", 0.0, 4.0, GAIN_REGIONS)}


GAIN = Kind({"gain": 1.0}, _check, _amplify)
