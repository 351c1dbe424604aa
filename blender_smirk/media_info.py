# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of file was chosen: a worker looks into it, so that no codec ever runs in Blender's own process."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import bpy

from smirk_core.errors import SmirkError

from .capture_settings import absolute
from .worker_client import Worker

__all__ = ["MediaFacts", "facts", "forget", "look"]

_INTERVAL = 0.1  # seconds between two looks at the worker


@dataclass(frozen=True)
class MediaFacts:
    """What is known of a file.

    Attributes:
        path: of the file, absolute.
        looking: the answer is still to come.
        problem: why it cannot be used, or "".
        kind: "photo", "video" or "sequence".
        width, height: upright size in pixels.
        rate: frames per second, 0 for a photo.
        frames: how many, 0 where unknown.
        duration: seconds, 0 where unknown.
        has_sound: whether there is sound.
        in_run: whether a picture has numbered neighbours, so that it may be meant as a sequence.
    """

    path: str
    looking: bool = False
    problem: str = ""
    kind: str = ""
    width: int = 0
    height: int = 0
    rate: float = 0.0
    frames: int = 0
    duration: float = 0.0
    has_sound: bool = False
    in_run: bool = False


_facts: MediaFacts | None = None
_worker: Worker | None = None


def facts(path: str) -> MediaFacts | None:
    """What is known of ``path`` (as in the settings); None where nobody has looked yet."""
    return _facts if _facts is not None and _facts.path == absolute(path) else None


def look(path: str, sequence: bool = False, python: str | None = None) -> None:
    """Find out about ``path`` and tell :func:`facts`; returns at once. Does nothing in background mode."""
    forget()
    if bpy.app.background or not path:
        return
    begin(path, sequence, python)
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_INTERVAL)


def begin(path: str, sequence: bool = False, python: str | None = None) -> None:
    """Start to look; :func:`tick` goes on with it."""
    global _facts, _worker
    name = absolute(path)
    _facts, _worker = MediaFacts(name, looking=True), Worker(python or None)
    try:
        _worker.start({"media": name, "probe": True, "sequence": sequence})
    except SmirkError as error:
        _finish(MediaFacts(name, problem=str(error)))


def tick() -> bool:
    """Listen to the worker; returns whether an answer is still to come."""
    for event in _worker.poll() if _worker is not None else ():
        if event["event"] == "done":
            _finish(_read(event.get("media") or {}))
        elif event["event"] == "error":
            _finish(MediaFacts(_facts.path if _facts is not None else "", problem=str(event.get("message", ""))))
    return _worker is not None


def forget() -> None:
    """Stop looking and know nothing."""
    global _facts
    _finish(None)
    _facts = None
    with contextlib.suppress(ValueError):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    if tick():
        return _INTERVAL
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
    return None


def _read(found: dict[str, Any]) -> MediaFacts:
    assert _facts is not None
    return MediaFacts(
        _facts.path,
        kind=str(found.get("kind", "")),
        width=int(found.get("width") or 0),
        height=int(found.get("height") or 0),
        rate=float(found.get("rate") or 0.0),
        frames=int(found.get("frame_count") or 0),
        duration=float(found.get("duration") or 0.0),
        has_sound=bool(found.get("has_sound")),
        in_run=bool(found.get("in_run")),
    )


def _finish(result: MediaFacts | None) -> None:
    global _facts, _worker
    _facts = result
    if _worker is not None:
        _worker.close()
        _worker = None
