# SPDX-License-Identifier: Apache-2.0
"""The process that tracks for Blender: a JSON job in, JSON lines out, a take file at the end.

``python -m smirk_core.worker`` reads one line from standard input::

    {"media": "clip.mp4", "output": "clip.take.npz", "faces": "largest", "end": 200}

``media`` and ``output`` are needed; the other keys are those of :class:`smirk_core.commands.options.TrackOptions`, and
``preview``, a folder for small pictures of the frame in hand, five a second at most. Four keys ask for something quick
in place of a track, and need no take file:

* ``{"probe": true, "media": PATH, "sequence": false}``: what the file is; the answer's ``media`` has the fields of
  :class:`smirk_core.tracking.media.MediaInfo` and ``in_run``, whether a picture has numbered neighbours.
* ``{"faces_only": true, "media": PATH, "folder": FOLDER, "start": 0, "end": null, "step": 1, "sequence": false}``: who
  is seen in the first dozen frames; see :func:`smirk_core.commands.inspecting.list_faces`.
* ``{"doctor": true}``: what this Python can do; see :func:`smirk_core.commands.inspecting.examine_engine`.
* ``{"ping": true}``: nothing but an answer.

It answers with one JSON object a line on standard output, and with nothing else there:

========================================================================  ===========================================
``{"event": "started", "version": …}``                                    the job was understood
``{"event": "progress", "stage": …, "done": …, "total": …}``              now and then; ``total`` may be null
``{"event": "preview", "path": …, "frame": …, "faces": …}``               a new picture (two names in turn)
``{"event": "done", "take": PATH, "takes": […], "frames": …,``            last line of a good run; exit code 0.
``"partial": bool, "notes": …}``                                          ``partial``: it was stopped while reading
``{"event": "done", …}``                                                  last line of a quick job: its answer
``{"event": "error", "message": …}``                                      last line of a bad run; exit code 2
========================================================================  ===========================================

What libraries print, and the traceback of an unexpected error or a crash, goes to standard error.

A line ``{"command": "cancel"}`` stops the run and keeps what is done; so does the end of standard input, because then
the parent has gone. The job may also be given as an argument; then standard input is not read.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from . import __version__
from .commands.batch import explain
from .commands.options import TrackOptions
from .commands.outputs import check_suffix, face_path
from .commands.terminal import debugging
from .errors import Cancelled, SmirkError
from .export.atomic import check_writable
from .progress import Progress

__all__ = ["Emitter", "main", "run_job"]

_GRACE = 30.0  # seconds that a run may take to end by itself after its parent has gone
_INTERVAL = 0.1  # seconds between progress lines of one stage


class Emitter:
    """Writes events as JSON lines; a reader that has gone counts as a wish to stop."""

    def __init__(self, stream: TextIO, stop: threading.Event) -> None:
        self._stream, self._stop = stream, stop
        self._stage, self._last = "", 0.0

    def __call__(self, event: str, **values: Any) -> None:
        try:
            self._stream.write(json.dumps({"event": event, **values}) + "\n")
            self._stream.flush()
        except OSError:
            self._stop.set()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """A :class:`smirk_core.progress.Progress`: ten lines a second at most.

        Raises:
            Cancelled: a stop was asked for.
        """
        if self._stop.is_set():
            raise Cancelled("Stopped.")
        now = time.monotonic()
        if stage != self._stage or done == total or now - self._last >= _INTERVAL:
            self._stage, self._last = stage, now
            self("progress", stage=stage, done=done, total=total)


def run_job(
    job: Mapping[str, Any], emit: Emitter, stop: threading.Event, track: Callable[..., list[Any]] | None = None
) -> int:
    """Do one job and report it; returns the exit code.

    Args:
        track: stands in for :meth:`TrackOptions.run`, called with (options, media, progress).
    """
    try:
        values = dict(job)
        quick = [name for name in _QUICK if values.pop(name, False)]
        if quick:
            emit("started", version=__version__)
            emit("done", **_QUICK[quick[0]](values, emit.progress))
            return 0
        media, output, preview = (values.pop(name, None) for name in ("media", "output", "preview"))
        if not (isinstance(media, str) and media and isinstance(output, str) and output):
            raise SmirkError("A job needs 'media' and 'output', both paths.")
        options = TrackOptions.from_job(values)
        check_suffix(output, (".npz",))
        check_writable(output)
        view = _view(preview, emit)
        emit("started", version=__version__)
        takes = track(options, media, emit.progress) if track is not None else options.run(media, emit.progress, view)
        paths = [str(take.save(face_path(Path(output), n, len(takes)))) for n, take in enumerate(takes)]
    except (Exception, KeyboardInterrupt) as error:
        if not isinstance(error, SmirkError | KeyboardInterrupt) and not debugging():
            traceback.print_exc()  # for the report; where people debug, explain() does it
        emit("error", message=explain(error))
        return 2
    emit(
        "done",
        take=paths[0],
        takes=paths,
        frames=len(takes[0]),
        partial="cancelled" in takes[0].info.notes,
        notes=takes[0].info.notes,
    )
    return 0


def _view(preview: object, emit: Emitter) -> Callable[..., None] | None:
    if preview is None:
        return None
    if not isinstance(preview, str):
        raise SmirkError("The job's 'preview' is the path of a folder.")
    from .tracking.live_view import LiveView

    return LiveView(Path(preview), lambda path, frame, faces: emit("preview", path=path, frame=frame, faces=faces))


def _probe(values: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from .commands.inspecting import describe

    return {"media": describe(_text(values, "media"), sequence=bool(values.get("sequence", False)))}


def _faces(values: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from .commands.inspecting import list_faces

    chosen = TrackOptions.from_job({k: v for k, v in values.items() if k in ("start", "end", "step", "sequence")})
    return list_faces(
        _text(values, "media"), Path(_text(values, "folder")), sequence=chosen.sequence,
        start=chosen.start, end=chosen.end, step=chosen.step, progress=progress,
    )  # fmt: skip


def _doctor(values: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from .commands.inspecting import examine_engine

    return examine_engine()


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values.get(name)
    if not (isinstance(text, str) and text):
        raise SmirkError(f"The job needs '{name}', a path.")
    return text


_QUICK: Mapping[str, Callable[[Mapping[str, Any], Progress], dict[str, Any]]] = {
    "probe": _probe,
    "faces_only": _faces,
    "doctor": _doctor,
    "ping": lambda values, progress: {},
}


def _listen(source: TextIO, stop: threading.Event) -> None:
    """Watch standard input until it ends; end the process where it does not end by itself."""
    for line in source:
        try:
            command = json.loads(line)
        except ValueError:
            continue
        if isinstance(command, dict) and command.get("command") == "cancel":
            stop.set()
    stop.set()
    time.sleep(_GRACE)
    os._exit(2)


def _own_stdout() -> TextIO:
    """Standard output for our events alone: whatever libraries print goes to standard error from now on."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    return events


def main(arguments: list[str] | None = None) -> int:
    """Run one job; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    stop = threading.Event()
    emit = Emitter(_own_stdout(), stop)
    text = arguments[0] if arguments else sys.stdin.readline()
    try:
        job = json.loads(text)
    except ValueError:
        job = None
    if not isinstance(job, dict):
        emit("error", message="The job is not a JSON object.")
        return 2
    if not arguments:
        threading.Thread(target=_listen, args=(sys.stdin, stop), name="commands", daemon=True).start()
    with contextlib.suppress(OSError, ValueError):
        faulthandler.enable()  # a crash in a library says where
    return run_job(job, emit, stop)


if __name__ == "__main__":
    code = main()
    # A thread that waits for standard input must not keep the process; everything of ours is flushed by now.
    sys.stderr.flush()
    os._exit(code)
