# SPDX-License-Identifier: Apache-2.0
"""Numbers that change in the course of a run: functions of the step alone, so that nothing of them has to be saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["Ramp", "cosine"]


@dataclass(frozen=True)
class Ramp:
    """A number along a run: straight lines between points, level before the first and after the last.

    Attributes:
        points: (share of the run in [0, 1], value), shares rising.
    """

    points: tuple[tuple[float, float], ...]

    @staticmethod
    def of(value: Any) -> Ramp:
        """From a number, a mapping {share: value} or a list of pairs.

        Raises:
            ValueError, TypeError: it is none of these, or shares do not rise within [0, 1].
        """
        if isinstance(value, Ramp):
            return value
        if isinstance(value, Mapping):
            pairs = sorted((float(k), float(v)) for k, v in value.items())
        elif isinstance(value, list | tuple):
            pairs = [(float(k), float(v)) for k, v in value]
        else:
            pairs = [(0.0, float(value))]
        shares = [p[0] for p in pairs]
        if not pairs or any(b <= a for a, b in pairwise(shares)):
            raise ValueError(f"{value!r} needs shares of the run that rise")
        if not all(0 <= s <= 1 for s in shares) or not all(math.isfinite(v) and v >= 0 for _, v in pairs):
            raise ValueError(f"{value!r} needs shares of the run in [0, 1] and weights of 0 or more")
        return Ramp(tuple(pairs))

    def at(self, share: float) -> float:
        """The number at a share of the run."""
        before = self.points[0]
        for point in self.points:
            if share < point[0]:
                if point is self.points[0]:
                    return point[1]
                part = (share - before[0]) / (point[0] - before[0])
                return before[1] + part * (point[1] - before[1])
            before = point
        return before[1]


def cosine(step: int, steps: int, floor: float, warmup: int = 0, restart_every: int = 0) -> float:
    """Share of the learning rate at a step: half a cosine from 1 to ``floor`` over the run or over each restart."""
    length = restart_every or steps
    place = step % length if restart_every else min(step, length)
    share = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * place / length))
    return share * min(1.0, (step + 1) / warmup) if warmup else share
