# SPDX-License-Identifier: GPL-3.0-or-later
"""One capture from file to head, driven by ticks: nothing in it waits, so a window may tick it from a timer.

The reading and solving happen in the worker process, the loading of its take in a thread, the building in Blender's
main thread, one short step a tick. Between two ticks nothing but names is kept of Blender's data, so that undo, save
or whatever the person does meanwhile finds no dangling reference.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import bpy

from smirk_core.errors import SmirkError
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take, load_take

from . import api
from .head_source import load_remembered
from .scene_guard import SceneGuard
from .texts import capture as texts
from .time_left import TimeLeft
from .worker_client import Worker

__all__ = ["CaptureRequest", "CaptureSession", "Session", "State"]


class State(Enum):
    """Where a session stands; the last three are ends."""

    TRACKING = "tracking"
    STOPPING = "stopping"
    PREPARING = "preparing"
    WAITING = "waiting"
    BUILDING = "building"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.DONE, State.FAILED, State.STOPPED)


class Session(Protocol):
    """What the queue drives: a capture or a search for faces.

    Attributes:
        name: of the footage, for messages.
        state: where it stands.
        message: what came of it, in one line, once it has ended.
        undo_name: of the undo step that it left; "" where the scene is as before.
        building: whether the scene is being changed, over some ticks.
        preview: path of the newest preview picture, or "".
        previews: how many there have been; their names come again.
    """

    name: str
    state: State
    message: str
    preview: str
    previews: int

    @property
    def undo_name(self) -> str: ...

    @property
    def building(self) -> bool: ...

    def start(self) -> None:
        """Begin; what goes wrong ends the session."""
        ...

    def tick(self, *, patient: bool = True) -> State:
        """Do a little; ``patient``: do not disturb a person who is in another mode."""
        ...

    def stop(self) -> None:
        """First: end soon and keep what there is. Again: end now and keep nothing."""
        ...

    def close(self) -> None:
        """End whatever still runs; may be called at any time."""
        ...

    def progress(self) -> tuple[str, float, float | None]:
        """What is being done, the share that is done (0 to 1), and seconds left or None."""
        ...

    def report(self) -> str:
        """For a developer: what ran and how it ended."""
        ...


@dataclass(frozen=True)
class CaptureRequest:
    """Everything that a capture needs to know, taken from the settings when it is asked for.

    Attributes:
        media: absolute path, or a pattern.
        tracking: further keys of the worker's job, see :mod:`smirk_core.worker`.
        head: "open" or a head file.
        onto: name of the armature of the head that gets the performance; "": a new head.
        frame_start: scene frame on which the take begins.
        raw: key the take without its filters.
        lens: focal length of the perspective camera, mm.
        footage: bring footage and sound along.
        picked: numbers of the faces to keep, as a search for faces gives them; (): all that are tracked.
        python: the Python that the worker runs in; "": Blender's.
    """

    media: str
    tracking: Mapping[str, Any] = field(default_factory=dict)
    head: str = "open"
    onto: str = ""
    frame_start: int = 1
    raw: bool = False
    lens: float = 50.0
    footage: bool = True
    picked: tuple[int, ...] = ()
    python: str = ""

    def job(self) -> dict[str, Any]:
        """The worker's job."""
        job: dict[str, Any] = {**self.tracking, "media": self.media, "head": self.head, "preview": True}
        if self.picked:
            job["faces"] = "all"  # a face has the same number in the search and in the take only so
        return job


class WorkerSession:
    """What all sessions share: a worker that is started, listened to and stopped."""

    def __init__(self, media: str, python: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = Path(media).name
        self.state = State.TRACKING
        self.message = ""
        self.preview = ""
        self.previews = 0
        self.worker = Worker(python or None)
        self._left = TimeLeft(clock)
        self._stops = 0
        self._report = ""

    @property
    def undo_name(self) -> str:
        """See :class:`Session`."""
        return ""

    @property
    def building(self) -> bool:
        """See :class:`Session`."""
        return self.state is State.BUILDING

    def job(self) -> dict[str, Any]:
        """The worker's job."""
        raise NotImplementedError

    def _arrived(self, event: Mapping[str, Any]) -> None:
        """The worker has answered."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the worker."""
        try:
            self.worker.start(self.job())
        except SmirkError as error:
            self._end(State.FAILED, str(error))

    def stop(self) -> None:
        """First: the worker ends and keeps what it has. Again: nothing is kept."""
        if self.state.ended or self.state is State.BUILDING:
            return  # a build takes less than a second: let it finish, it can be undone
        self._stops += 1
        if self._stops == 1 and self.state is State.TRACKING:
            self.worker.cancel()
            self.state = State.STOPPING
        elif self._stops > 1 or self.state is not State.TRACKING:
            self._end(State.STOPPED, texts.STOPPED.format(name=self.name))

    def listen(self) -> None:
        """Take in what the worker has said since the last call."""
        for event in self.worker.poll():
            kind = event["event"]
            if kind == "progress":
                self._left.update(str(event["stage"]), int(event["done"]), event.get("total"))
            elif kind == "preview":
                self.preview, self.previews = str(event.get("path", "")), self.previews + 1
            elif kind == "done":
                self._arrived(event)
            elif kind == "error":
                self._failed(event)

    def _failed(self, event: Mapping[str, Any]) -> None:
        if event.get("crashed"):
            reason = str(event.get("message", "")).partition("(")[2].rstrip(").") or "no reason given"
            self._end(State.FAILED, texts.CRASHED.format(reason=reason))
        elif self._stops:
            self._end(State.STOPPED, texts.STOPPED.format(name=self.name))
        else:
            self._end(State.FAILED, str(event.get("message", "")))

    def progress(self) -> tuple[str, float, float | None]:
        """See :class:`Session`."""
        if self.state is State.TRACKING:
            stage, share, left = self._left.estimate()
            return texts.STAGES.get(stage, stage) or texts.STARTING, share, left
        share = self._left.estimate()[1]
        return {State.STOPPING: texts.STOPPING}.get(self.state, ""), share, None

    def report(self) -> str:
        """See :class:`Session`."""
        return self._report or self.worker.report()

    def close(self) -> None:
        """End the worker and remove its folder."""
        if not self.state.ended:
            self._end(State.STOPPED, texts.STOPPED.format(name=self.name))
        self.worker.close()

    def _end(self, state: State, message: str, trace: str = "") -> None:
        self.state, self.message = state, message
        self.preview = ""
        self._report = "\n".join(filter(None, [self.worker.report(), f"message: {message}", trace]))
        self.worker.close()


class CaptureSession(WorkerSession):
    """A capture; see :class:`Session`.

    Args:
        request: what is wanted.
        clock: seconds, for the time that is left.

    Attributes:
        rigs: names of the armatures that got a take.
    """

    def __init__(self, request: CaptureRequest, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(request.media, request.python, clock)
        self.request = request
        self.rigs: list[str] = []
        self._notes: list[str] = []
        self._takes: list[Take] = []
        self._model: HeadModel | None = None
        self._partial = False
        self._loader: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._steps: Generator[None, None, None] | None = None
        self._guard: SceneGuard | None = None
        self._again = False

    @property
    def undo_name(self) -> str:
        """See :class:`Session`."""
        return texts.UNDO.format(name=self.name) if self.state is State.DONE else ""

    def job(self) -> dict[str, Any]:
        """The worker's job."""
        return self.request.job()

    def tick(self, *, patient: bool = True) -> State:
        """Listen to the worker, or take one step of the building; returns where the capture stands."""
        if self.state in (State.TRACKING, State.STOPPING):
            self.listen()
        if self.state is State.PREPARING and self._loader is not None and not self._loader.is_alive():
            self._loaded()
        if self.state is State.WAITING and not (patient and bpy.context.mode != "OBJECT"):
            self.state = State.BUILDING
            self._guard = SceneGuard()
            self._steps = self._build()
        elif self.state is State.BUILDING:
            self._step()
        return self.state

    def _arrived(self, event: Mapping[str, Any]) -> None:
        paths = [str(path) for path in event.get("takes", [])]
        self._partial = bool(event.get("partial"))
        self.state = State.PREPARING
        self._loader = threading.Thread(target=self._load, args=(paths,), name="smirk-loader", daemon=True)
        self._loader.start()

    def _load(self, paths: list[str]) -> None:
        """In a thread: files to takes and head; no bpy here."""
        try:
            takes = [load_take(path) for path in paths]
            picked = self.request.picked
            self._takes = [take for take in takes if not picked or take.info.face in picked]
            if len(self._takes) < len(picked):
                self._notes.append(texts.FACES_MISSING.format(found=len(self._takes)))
            self._model = load_remembered(self.request.head)
        except Exception as error:
            self._failure = error

    def _loaded(self) -> None:
        if self._failure is not None:
            self._end(State.FAILED, _reason(self._failure), _trace(self._failure))
        elif not self._takes:
            self._end(State.FAILED, "; ".join(self._notes))
        else:
            self.state = State.WAITING

    def _build(self) -> Generator[None, None, None]:
        request, model = self.request, self._model
        assert model is not None
        if request.footage and not Path(self._takes[0].info.source).exists() and "*" not in request.media:
            self._notes.append(texts.NO_FOOTAGE.format(name=self.name))
        for number, take in enumerate(self._takes):
            target = bpy.data.objects.get(request.onto) if request.onto and number == 0 else None
            if request.onto and number == 0 and target is None:
                self._notes.append(texts.TARGET_GONE)
            common: dict[str, Any] = {
                "head": model, "frame_start": request.frame_start, "raw": request.raw, "footage": request.footage,
            }  # fmt: skip
            if target is not None:
                self.rigs.append(target.name)
                del target
                yield from api.apply_take_steps(bpy.data.objects[request.onto], take, **common)
            else:
                made = yield from api.add_take_steps(take, lens=request.lens, **common)
                self.rigs.append(made.armature.name)
                del made
            yield
        _select(self.rigs)

    def _step(self) -> None:
        assert self._steps is not None and self._guard is not None
        try:
            next(self._steps)
        except StopIteration:
            self._end(State.DONE, self._summary())
        except api.RemovedWhileBuilding as error:
            self._steps.close()
            self._guard.restore()
            if self._again:
                self._end(State.FAILED, texts.FAILED_BUILD.format(reason=error))
            else:  # an undo that fell between two steps; the takes are still here
                self.state, self._again, self.rigs = State.WAITING, True, []
        except Exception as error:
            self._steps.close()
            self._guard.restore()
            self._end(State.FAILED, texts.FAILED_BUILD.format(reason=_reason(error)), _trace(error))
        if self.state.ended:
            self._takes, self._model, self._steps, self._guard = [], None, None, None

    def _summary(self) -> str:
        frames, faces = len(self._takes[0]), len(self._takes)
        if self._partial:
            text = texts.DONE_PARTIAL
        elif faces > 1:
            text = texts.DONE_MANY
        else:
            text = texts.DONE_PHOTO if self._takes[0].info.kind == "photo" else texts.DONE_ONE
        return ". ".join([text.format(name=self.name, frames=frames, faces=faces), *self._notes])

    def progress(self) -> tuple[str, float, float | None]:
        """See :class:`Session`."""
        words = {
            State.PREPARING: texts.PREPARING,
            State.WAITING: texts.WAITING,
            State.BUILDING: texts.BUILDING,
        }
        if self.state in words:
            return words[self.state], 1.0, None
        return super().progress()

    def close(self) -> None:
        """End the worker; a building that has begun is taken back."""
        if self.state is State.BUILDING and self._guard is not None:
            if self._steps is not None:
                self._steps.close()
            with contextlib.suppress(Exception):
                self._guard.restore()
        super().close()
        self._takes, self._model, self._steps, self._guard = [], None, None, None


def _select(names: list[str]) -> None:
    """Select these objects and their meshes alone, so that the next command means them."""
    chosen = {name for name in names if name in bpy.data.objects}
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in chosen or (obj.parent is not None and obj.parent.name in chosen))


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, SmirkError) else f"{type(error).__name__}: {error}"


def _trace(error: BaseException) -> str:
    return "" if isinstance(error, SmirkError) else "".join(traceback.format_exception(error))
