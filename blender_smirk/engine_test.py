# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the tracking process what it has, without waiting for it; the answer is remembered. No bpy in here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from smirk_core.errors import SmirkError

from .worker_client import Event, Worker

__all__ = ["EngineReport", "begin", "remembered", "running", "stop", "tick", "wait"]

_PATIENCE = 120.0  # seconds; a first start from a slow disk takes ten


@dataclass(frozen=True)
class EngineReport:
    """What the tracking process said of itself.

    Attributes:
        asked: the Python that was asked for; "": Blender's.
        engine: what networks run on.
        problem: why nothing can be tracked, in one line; "" when all is well.
        python, executable: version and path.
        text: everything, to be copied.
    """

    asked: str
    engine: str = ""
    problem: str = ""
    python: str = ""
    executable: str = ""
    text: str = ""

    def stored(self) -> str:
        """As JSON, for the preferences."""
        return json.dumps(asdict(self))


_worker: Worker | None = None
_asked = ""


def remembered(stored: str, python: str) -> EngineReport | None:
    """The report in the preferences, if it is about this ``python``."""
    try:
        values = json.loads(stored)
        report = EngineReport(**values) if all(isinstance(v, str) for v in values.values()) else None
    except (ValueError, TypeError, AttributeError):
        return None
    return report if report is not None and report.asked == python else None


def running() -> bool:
    """Whether an answer is still to come."""
    return _worker is not None


def begin(python: str = "", make: Callable[[str], Worker] = Worker) -> None:
    """Start to ask; a question that is still open is given up.

    Raises:
        SmirkError: that Python cannot be started.
    """
    global _worker, _asked
    stop()
    worker = make(python)
    worker.start({"doctor": True})
    _worker, _asked = worker, python


def tick() -> EngineReport | None:
    """The answer, once it is there; returns at once."""
    if _worker is None:
        return None
    _worker.poll()
    return _finish(_worker) if _worker.final is not None else None


def wait() -> EngineReport:
    """The answer; for scripts and background mode.

    Raises:
        SmirkError: nothing was asked, or no answer comes.
    """
    if _worker is None:
        raise SmirkError("Nothing was asked.")
    try:
        _worker.wait(_PATIENCE)
        return _finish(_worker)
    finally:
        stop()


def stop() -> None:
    """Give the question up."""
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None


def _finish(worker: Worker) -> EngineReport:
    report = _report(_asked, worker.final or {}, worker)
    stop()
    return report


def _report(asked: str, event: Event, worker: Worker) -> EngineReport:
    if event.get("event") != "done":
        message = str(event.get("message", ""))
        reason = worker.log().strip().splitlines()
        if event.get("crashed") and reason:  # an ImportError of a foreign Python tells more than "exit code 1"
            message = reason[-1]
        return EngineReport(asked, problem=message, text=worker.report())
    problems = [str(p) for p in event.get("problems") or ()]
    lines = [f"{label}: {finding}" for label, finding in _pairs(event.get("lines"))]
    return EngineReport(
        asked,
        engine=str(event.get("engine", "")),
        problem="; ".join(problems),
        python=str(event.get("python", "")),
        executable=str(event.get("executable", "")),
        text="\n".join(lines),
    )


def _pairs(lines: Any) -> list[tuple[str, str]]:
    return [(str(line[0]), str(line[1])) for line in lines or () if isinstance(line, list) and len(line) == 2]
