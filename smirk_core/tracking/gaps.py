# SPDX-License-Identifier: Apache-2.0
"""Frames in which the face was not seen, filled from those in which it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["bridge"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def bridge(values: Floats, visible: Ints, times: Floats) -> Floats:
    """Fill the frames without a face: straight between known neighbours, held at the ends.

    Args:
        values: (S, P) in the visible frames.
        visible: (S,) their positions, rising.
        times: (N,) seconds.

    Returns:
        (N, P).
    """
    t, known = times, times[visible]
    right = np.clip(np.searchsorted(known, t), 1, max(len(known) - 1, 1))
    if len(known) == 1:
        return np.repeat(values, len(t), axis=0)
    left = right - 1
    share = np.clip((t - known[left]) / (known[right] - known[left]), 0, 1)[:, None]
    return (1 - share) * values[left] + share * values[right]
