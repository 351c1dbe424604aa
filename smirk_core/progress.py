# SPDX-License-Identifier: Apache-2.0
"""Progress reporting: one callable that everything long-running accepts."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called now and then while work goes on; may raise :class:`smirk_core.errors.Cancelled` to stop it.

    Args:
        stage: what is being done, for a person ("Finding faces", "Solving").
        done: steps finished.
        total: steps in all, or ``None`` while unknown.
    """

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
