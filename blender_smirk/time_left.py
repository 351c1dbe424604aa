# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a capture is and how long it will still take, from what the worker reports."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TimeLeft"]

# Share of the whole that each stage takes, measured on clips of some seconds to ten minutes; the rest is Blender's.
_SHARES = {"Reading faces": (0.0, 0.65), "Solving": (0.65, 0.97)}
_SETTLE = 1.0  # seconds of a stage before its pace is trusted


class TimeLeft:
    """Share done and seconds left.

    Args:
        clock: seconds from any beginning.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stage = ""
        self._begin = self._now = clock()
        self._done = 0
        self._total: int | None = None
        self._share = 0.0

    def update(self, stage: str, done: int, total: int | None) -> None:
        """A step was reported."""
        self._now = self._clock()
        if stage != self._stage:
            self._stage, self._begin = stage, self._now
        self._done, self._total = done, total
        if total:
            low, high = _SHARES.get(stage, (0.0, 1.0))
            # A second face is solved after the first: the bar waits rather than runs backwards.
            self._share = max(self._share, low + (high - low) * min(1.0, done / total))

    def estimate(self) -> tuple[str, float, float | None]:
        """The stage, the share of the whole that is done (never falling, 0 to 1), seconds left or None if unknown."""
        spent = self._now - self._begin
        left = None
        if self._total and self._done and spent >= _SETTLE:
            pace = spent / self._done
            left = pace * max(0, self._total - self._done)
            low, high = _SHARES.get(self._stage, (0.0, 1.0))
            left += pace * self._total * (1.0 - high) / (high - low)  # the stages to come
            left = max(0.0, left - (self._clock() - self._now))
        return self._stage, self._share, left
