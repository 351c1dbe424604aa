# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracking process, seen from Blender: started, listened to without waiting, stopped.

A capture runs in a process of its own (:mod:`smirk_core.worker`), so Blender stays quick and a crash takes nothing with
it. One :class:`Worker` does one job::

    worker = Worker()
    worker.start({"media": "/clips/smile.mp4", "faces": "largest"})
    ...
    for event in worker.poll():      # from a timer; returns at once
        if event["event"] == "done":
            take = load_take(event["take"])
    worker.close()                   # ends it if need be and removes its folder

Nothing here imports bpy, so that all of it can be tested in a plain Python.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import platform
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from smirk_core.errors import SmirkError

__all__ = ["FINAL_EVENTS", "Worker", "blender_python", "core_folder", "library_folders", "worker_command"]

Event = dict[str, Any]

FINAL_EVENTS = frozenset({"done", "error"})  # exactly one of them ends what poll() gives of a job
_QUICK = frozenset({"probe", "doctor", "ping"})  # jobs that make no file
_TAIL = 12_000  # bytes of the worker's own words that a report carries
_PATIENCE = 5.0  # seconds that close() and the end of Blender wait for a killed process
_MAX_LINE = 1 << 20  # characters of one event; longer lines are not ours

# The worker's engine is loaded from one named folder, whatever Python runs it: another Python must not see the
# compiled packages beside smirk_core, which fit Blender's Python only.
_BOOT = """\
import importlib.util, runpy, sys
name, folder = "smirk_core", sys.argv.pop(1)
spec = importlib.util.spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules[name] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
runpy.run_module("smirk_core.worker", run_name="__main__", alter_sys=True)
"""


def blender_python() -> str:
    """Path of the Python that Blender brings.

    Raises:
        SmirkError: this Blender has none that can be started on its own.
    """
    names = ("python.exe",) if os.name == "nt" else (f"python3.{sys.version_info[1]}", "python3", "python")
    own = [folder / name for folder in (Path(sys.prefix) / "bin", Path(sys.prefix)) for name in names]
    exe = Path(sys.executable or "")
    # A Blender of a Linux distribution may name whatever "python3" the path leads to, which lacks its packages.
    first = exe if Path(sys.prefix) in exe.parents and exe.stem.lower().startswith("python") else None
    for path in [*filter(None, [first]), *own, exe]:
        if path.is_file() and path.stem.lower().startswith("python"):
            return str(path)
    raise SmirkError("Blender's own Python was not found; name another Python in the add-on's preferences.")


def core_folder() -> str:
    """The folder of the package ``smirk_core`` that this Blender uses."""
    spec = importlib.util.find_spec("smirk_core")
    if spec is None or not spec.submodule_search_locations:
        raise SmirkError("The add-on is incomplete: its engine (smirk_core) is missing. Install it again.")
    return str(Path(next(iter(spec.submodule_search_locations))).resolve())


def library_folders(path: Iterable[str] | None = None) -> list[str]:
    """Folders of ``path`` (default: ``sys.path``) that hold installed packages, for a child of the same Python.

    Blender adds the folder of the extensions' wheels to ``sys.path`` of its own process only.
    """
    found: list[str] = []
    for entry in sys.path if path is None else path:
        folder = Path(entry)
        if folder.name in ("site-packages", "dist-packages") and folder.is_dir() and str(folder) not in found:
            found.append(str(folder))
    return found


def worker_command(python: str | os.PathLike[str] | None = None) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a worker.

    Args:
        python: the user's own Python, which brings its own packages; ``None`` or "": Blender's, with the extension's.

    Raises:
        SmirkError: there is no such Python.
    """
    environment = dict(os.environ)
    environment.update(PYTHONUTF8="1", PYTHONNOUSERSITE="1")
    if python:
        program = os.fspath(python)
        if not Path(program).is_file():
            raise SmirkError(f"There is no Python at {program}; mend the path in the add-on's preferences.")
        environment.pop("PYTHONNOUSERSITE")  # their Python, their packages
    else:
        program = blender_python()
        for name in ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT"):
            environment.pop(name, None)
        environment["PYTHONPATH"] = os.pathsep.join(library_folders())
    return [program, "-c", _BOOT, core_folder()], environment


class Worker:
    """One job in a process of its own.

    Args:
        python: the user's own Python; ``None`` or "": Blender's.
        parent_folder: where the working folder is made; ``None``: the system's temporary folder.

    Attributes:
        folder: the working folder, there from :meth:`start` to :meth:`close`; the take and the previews lie in it.
        final: the last event, once :meth:`poll` has given it.
    """

    def __init__(
        self, python: str | os.PathLike[str] | None = None, parent_folder: str | os.PathLike[str] | None = None
    ) -> None:
        self.python = os.fspath(python) if python else ""
        self.folder: Path | None = None
        self.final: Event | None = None
        self._parent_folder = parent_folder
        self._process: subprocess.Popen[str] | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._noise: deque[str] = deque(maxlen=40)
        self._job: dict[str, Any] = {}
        self._command: list[str] = []
        self._reader: threading.Thread | None = None

    def start(self, job: Mapping[str, Any]) -> None:
        """Begin ``job``, see :mod:`smirk_core.worker`.

        Without ``output`` (``folder`` for ``faces_only``) what it makes goes to the working folder; so do the pictures
        where ``preview`` is ``True``.

        Raises:
            SmirkError: the process cannot be started, or this worker has had a job.
        """
        if self._process is not None:
            raise SmirkError("A worker does one job; make another one.")
        self._command, environment = worker_command(self.python)
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="smirk-", dir=self._parent_folder))
            self._job = dict(job)
            if self._job.get("faces_only"):
                self._job.setdefault("folder", str(self.folder))
            elif self._job.keys().isdisjoint(_QUICK):
                self._job.setdefault("output", str(self.folder / "capture.take.npz"))
            if self._job.get("preview") is True:
                self._job["preview"] = str(self.folder)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,  # a file, because nobody has to empty it and it outlives a crash
                    cwd=self.folder,  # nothing to import by chance
                    env=environment,
                    encoding="utf-8",
                    errors="replace",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    start_new_session=os.name != "nt",  # Ctrl-C in a terminal is Blender's
                )
        except (OSError, ValueError) as error:
            self.close()
            raise SmirkError(f"The tracking process cannot be started: {error}.") from error
        _alive.add(self)
        self._send(self._job)
        self._reader = threading.Thread(target=self._listen, args=(self._process,), name="smirk-worker", daemon=True)
        self._reader.start()

    def poll(self) -> list[Event]:
        """What has arrived since the last call, oldest first; never waits.

        The last event of a job is ``done`` or ``error``. A process that ends without a word gives an ``error`` with
        ``"crashed": True`` and its ``exit_code``.
        """
        found: list[Event] = []
        while self.final is None:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            found.append(event)
            if event["event"] in FINAL_EVENTS:
                self.final = event
        return found

    def wait(self, timeout: float | None = None) -> Event:
        """Block until the last event and return it; for scripts and background mode.

        Raises:
            SmirkError: no job was started, or ``timeout`` seconds went by.
        """
        if self._reader is None:
            raise SmirkError("No job was started.")
        self._reader.join(timeout)
        self.poll()
        if self.final is None:
            raise SmirkError("The tracking process is still at work.")
        return self.final

    def cancel(self) -> None:
        """Ask for an end; what was read so far comes as a ``done`` with ``"partial": True``, or as an ``error``."""
        self._send({"command": "cancel"})

    def kill(self) -> None:
        """End the process now; :meth:`poll` then gives a crashed ``error``, unless it had come to an end."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()

    def close(self) -> None:
        """End the process if it runs, and remove the working folder. May be called at any time, any number of times."""
        self.kill()
        if self._reader is not None:
            self._reader.join(_PATIENCE)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        _alive.discard(self)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process is not None else None

    @property
    def exit_code(self) -> int | None:
        """Exit code; negative: the signal that ended it. ``None`` before the end."""
        return self._process.poll() if self._process is not None else None

    def log(self) -> str:
        """The end of what the process wrote beside its events; empty after :meth:`close`."""
        try:
            with self._log.open("rb") as stream:
                stream.seek(max(0, self._log.stat().st_size - _TAIL))
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            text = ""
        return "\n".join([*self._noise, text]).strip()

    def report(self) -> str:
        """Everything that a developer needs to understand a failure, as text to copy; call before :meth:`close`."""
        from smirk_core import __version__

        lines = [
            f"SMIRK {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"worker: {self._command[0] if self._command else '(not started)'}",
            f"engine: {self._command[-1] if self._command else ''}",
            f"exit code: {_exit_text(self.exit_code)}",
            f"job: {json.dumps(self._job, default=str)}",
            f"last event: {json.dumps(self.final, default=str)}",
            "",
            self.log() or "(the worker wrote nothing)",
        ]
        return "\n".join(lines)

    @property
    def _log(self) -> Path:
        return (self.folder or Path()) / "worker.log"

    def _send(self, message: Mapping[str, Any]) -> None:
        stream = self._process.stdin if self._process is not None else None
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # gone, or closed: poll() tells
                stream.write(json.dumps(message) + "\n")
                stream.flush()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """In the reader's thread: events to the queue until the process ends. No bpy here."""
        ended = False
        stdout = process.stdout
        assert stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while line := stdout.readline(_MAX_LINE):
                event = _parse(line)
                if event is None:
                    self._noise.append(line.rstrip()[:500])
                    continue
                ended = ended or event["event"] in FINAL_EVENTS
                self._events.put(event)
        code = process.wait()
        if not ended:
            self._events.put(
                {
                    "event": "error",
                    "message": f"The tracking process ended without an answer ({_exit_text(code)}).",
                    "crashed": True,
                    "exit_code": code,
                }
            )
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()


def _parse(line: str) -> Event | None:
    """An event, or ``None`` for anything else that stands in the stream."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _exit_text(code: int | None) -> str:
    if code is None:
        return "still running"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"


_alive: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """Blender quits: nothing of ours stays behind. (A Blender that crashes closes the pipe, which ends the worker.)"""
    for worker in list(_alive):
        worker.kill()
    for worker in list(_alive):
        worker.close()
