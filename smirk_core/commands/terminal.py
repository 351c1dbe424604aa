# SPDX-License-Identifier: Apache-2.0
"""What a person sees in the terminal: a progress bar, a clean Ctrl-C, and nothing from libraries that talk too much."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from ..errors import Cancelled

__all__ = ["Bar", "Stop", "debugging", "printable", "quiet"]


def debugging() -> bool:
    """True where the environment asks for tracebacks and library messages (SMIRK_DEBUG=1)."""
    return os.environ.get("SMIRK_DEBUG", "") not in ("", "0")


def printable(text: str) -> str:
    """``text`` without what would command a terminal: names and notes in files are other people's words."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"


class Bar:
    """A one-line progress bar with the time left; a :class:`smirk_core.progress.Progress`.

    Draws only on a terminal, ten times a second at most; elsewhere it keeps silent.
    """

    def __init__(self, stream: TextIO, label: str = "") -> None:
        self._stream, self._label = stream, label
        self._shown = stream.isatty()
        self._stage, self._began, self._drawn, self._width = "", 0.0, 0.0, 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if not self._shown:
            return
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._drawn < 0.1 and done != total:
            return
        self._drawn = now
        self._draw(self.line(stage, done, total, now - self._began))

    def line(self, stage: str, done: int, total: int | None, elapsed: float) -> str:
        """The text of the bar, without any control characters."""
        head = f"{self._label}{stage}"
        if not total:
            return f"{head}  {done}" if done else head
        share = min(done / total, 1.0)
        filled = round(20 * share)
        text = f"{head}  [{'#' * filled}{'.' * (20 - filled)}] {done}/{total}"
        if 0 < done < total and elapsed > 1.0:
            text += f"  {_clock(elapsed * (total - done) / done)} left"
        return text

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the bar away, so that a message can stand on its line."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0


class Stop:
    """Ctrl-C as a wish: the next progress report raises :class:`Cancelled`, so that what is done can be kept.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.asked = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Handle SIGINT and SIGTERM this way while the block runs (main thread only)."""
        old = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise where a stop was asked for.

        Raises:
            Cancelled: it was.
        """
        if self.asked:
            raise Cancelled("Stopped.")


@contextmanager
def quiet() -> Iterator[tuple[TextIO, TextIO]]:
    """Yield (out, err) for our own words, while whatever libraries write to descriptors 1 and 2 goes nowhere.

    Codecs, detectors and Blender print from native code; a user should read our one line, not theirs. With
    SMIRK_DEBUG=1 nothing is hidden.
    """
    if debugging():
        yield sys.stdout, sys.stderr
        return
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        kept = os.dup(1), os.dup(2)
    except OSError:  # a process without descriptors (a GUI launcher) has nothing to hide
        yield sys.stdout, sys.stderr
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    out = os.fdopen(os.dup(kept[0]), "w", encoding="utf-8", errors="replace", buffering=1)
    err = os.fdopen(os.dup(kept[1]), "w", encoding="utf-8", errors="replace", buffering=1)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        yield out, err
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, sink):
            os.close(descriptor)
        for stream in (out, err):
            try:
                stream.close()
            except OSError:
                continue
