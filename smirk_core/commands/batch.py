# SPDX-License-Identifier: Apache-2.0
"""Many media, one after the other: one failure does not stop the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from ..errors import Cancelled, SmirkError
from ..refine.layers import UNFILTERED
from ..take import Take
from .terminal import Bar, Stop, debugging, printable, quiet

__all__ = ["Job", "explain", "run_batch"]


class Job:
    """What one piece of work gets: a progress callback that honours Ctrl-C, and a place to say things.

    Attributes:
        partial: set by the work when it kept a part of what was asked for; the reason in words.
    """

    def __init__(self, bar: Bar, stop: Stop, out: TextIO, err: TextIO) -> None:
        self._bar, self._stop, self._out, self._err = bar, stop, out, err
        self.partial = ""

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Draw progress; see :class:`smirk_core.progress.Progress`.

        Raises:
            Cancelled: Ctrl-C was pressed.
        """
        self._stop.check()
        self._bar(stage, done, total)

    def say(self, text: str) -> None:
        """One line on standard output."""
        self._bar.clear()
        print(printable(text), file=self._out, flush=True)

    def wrote(self, path: Path) -> None:
        self.say(f"Wrote {path}")

    def tracked(self, takes: Sequence[Take]) -> None:
        """Tell what a run says about itself: where it was stopped, or where the footage was damaged."""
        notes = takes[0].info.notes
        if self._stop.asked and "cancelled" in notes:
            frames = " and ".join(str(len(take)) for take in takes)
            self.partial = f"stopped; kept {frames} frame{'' if frames == '1' else 's'} ({notes})"
        elif UNFILTERED in notes:
            self.partial = notes
        elif notes:
            self._bar.clear()
            print(f"smirk: note: {printable(notes)}", file=self._err, flush=True)


def explain(error: BaseException) -> str:
    """One line for a person, whatever went wrong.

    With SMIRK_DEBUG=1 the traceback goes to standard error as well.
    """
    if debugging() and not isinstance(error, KeyboardInterrupt):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt | Cancelled):
        return "Stopped; nothing was kept."
    if isinstance(error, SmirkError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "Out of memory; track fewer frames (--start, --end, --step) or a smaller video."
    elif isinstance(error, OSError):
        text = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    else:
        text = f"Unexpected {type(error).__name__}: {error} (SMIRK_DEBUG=1 shows where)"
    return printable(" ".join(text.split()))


def run_batch(names: Sequence[str], work: Callable[[int, Job], None]) -> int:
    """Run ``work(index, job)`` for each name.

    Returns:
        0 when every one was done in full; 2 otherwise, each failure told in one line on standard error, and with
        several names a summary after them.
    """
    stop, failed = Stop(), []
    with quiet() as (out, err), stop.listening():
        for index, name in enumerate(names):
            label = f"[{index + 1}/{len(names)}] " if len(names) > 1 else ""
            bar = Bar(err, label)
            job = Job(bar, stop, out, err)
            try:
                work(index, job)
                problem = job.partial
            except (Exception, KeyboardInterrupt) as error:
                problem = explain(error)
            bar.clear()
            if problem:
                failed.append(name)
                print(f"smirk: {name}: {problem}" if len(names) > 1 else f"smirk: {problem}", file=err, flush=True)
            if stop.asked:
                failed += names[index + 1 :]
                break
        if failed and len(names) > 1:
            done = len(names) - len(failed)
            print(f"smirk: {done} of {len(names)} done; not done in full: {', '.join(failed)}", file=err, flush=True)
    return 2 if failed else 0
