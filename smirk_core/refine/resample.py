# SPDX-License-Identifier: Apache-2.0
"""A performance at other times: straight lines between frames, rotations the short way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.rotation import continuous_quaternions, quaternion_from_rotvec

__all__ = ["TURNS", "resample", "rotvec_from_quaternion"]

Floats = npt.NDArray[np.floating[Any]]
TURNS = ("rotation", "neck")  # groups that may turn far; jaw and eyes stay below a radian, where numbers do


def rotvec_from_quaternion(q: Floats) -> Floats:
    """(N, 4) unit quaternions (w, x, y, z) to (N, 3) rotation vectors of angle at most pi."""
    q = np.where(q[:, :1] < 0, -q, q)
    sine = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    small = sine < 1e-9
    return q[:, 1:] * np.where(small, 2.0, 2.0 * np.arctan2(sine, q[:, :1]) / np.where(small, 1.0, sine))


def resample(groups: Mapping[str, Floats], times: Floats, at: Floats) -> dict[str, Floats]:
    """Groups (N, C) at (N,) increasing ``times`` -> groups (M, C) at (M,) ``at``; ends are held.

    A time that is a frame's own gives that frame's values bit for bit.
    """
    n = len(times)
    after = np.clip(np.searchsorted(times, at, side="left"), 0, n - 1)
    before = np.maximum(after - 1, 0)
    exact = (times[after] <= at) | (after == 0) | (at >= times[-1])
    before = np.where(exact, after, before)
    gap = np.where(exact, 1.0, times[after] - times[before])
    share = np.where(exact, 0.0, (at - times[before]) / gap)[:, None]

    def mix(values: Floats) -> Floats:
        return (1.0 - share) * values[before] + share * values[after]

    result: dict[str, Floats] = {}
    for name, values in groups.items():
        values = np.asarray(values, dtype=np.float64)
        if name in TURNS:
            q = mix(continuous_quaternions(quaternion_from_rotvec(values)))
            mixed = rotvec_from_quaternion(q / np.linalg.norm(q, axis=1, keepdims=True))
        else:
            mixed = mix(values)
        result[name] = np.where(exact[:, None], values[after], mixed)
    return result
