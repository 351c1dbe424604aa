# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures that wait for each other: one runs, the others stand behind it, and all end with Blender's file."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .capture_session import Session, State
from .texts import capture as texts

__all__ = ["QUEUE", "CaptureQueue", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Attributes:
        name: of the footage.
        state: one of the three ends.
        message: for the person.
    """

    name: str
    state: State
    message: str


class CaptureQueue:
    """Sessions one after another; all of it from one thread, driven by :meth:`tick`.

    Attributes:
        current: the session that runs, or None.
        outcomes: of all sessions since the queue was last empty.
        report: of the last session that ended, for a developer.
    """

    def __init__(self) -> None:
        self.current: Session | None = None
        self.outcomes: list[Outcome] = []
        self.report = ""
        self._waiting: deque[Session] = deque()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return self.current is not None or bool(self._waiting)

    @property
    def waiting(self) -> list[str]:
        """Names of the footage that waits, the next one first."""
        return [session.name for session in self._waiting]

    def add(self, session: Session) -> None:
        """Put a session at the end of the queue."""
        if not self.busy:
            self.outcomes = []
        self._waiting.append(session)

    def tick(self, *, patient: bool = True) -> Session | None:
        """Drive the session that runs, or start the next; returns one that has just ended."""
        if self.current is None and self._waiting:
            self.current = self._waiting.popleft()
            self.current.start()
        session = self.current
        if session is None:
            return None
        if not session.state.ended:
            session.tick(patient=patient)
        if not session.state.ended:
            return None
        self.current = None
        self.outcomes.append(Outcome(session.name, session.state, session.message))
        self.report = session.report()
        session.close()
        return session

    def stop(self) -> None:
        """Stop the session that runs, keeping what it has; again: keep nothing. What waits is dropped at once."""
        dropped = self.drop()
        if dropped:
            self.outcomes.append(Outcome("", State.STOPPED, texts.DROPPED_QUEUE.format(count=dropped)))
        if self.current is not None:
            self.current.stop()

    def drop(self) -> int:
        """Take everything that waits out of the queue; returns how many there were."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def shut_down(self) -> bool:
        """End everything at once, keeping nothing; returns whether there was anything. May be called at any time."""
        was_busy = self.busy
        self.drop()
        if self.current is not None:
            self.current.close()
            self.report = self.current.report()
        self.current = None
        return was_busy

    def message(self) -> str:
        """What came of all sessions, a line each."""
        return "\n".join(outcome.message for outcome in self.outcomes if outcome.message)

    @property
    def failed(self) -> bool:
        """Whether one of the sessions failed."""
        return any(outcome.state is State.FAILED for outcome in self.outcomes)


QUEUE = CaptureQueue()
