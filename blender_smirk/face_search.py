# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces are in the footage, each with a small picture, to pick the ones to capture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

from . import capture_preview
from .capture_session import State, WorkerSession
from .texts import capture as texts

__all__ = ["FaceSearch", "face_icon"]


def face_icon(number: int) -> str:
    """Name of a face's picture."""
    return f"face {number}"


class FaceSearch(WorkerSession):
    """A search for faces; see :class:`blender_smirk.capture_session.Session`.

    Args:
        scene: name of the scene whose settings get the faces.
        media: absolute path of the footage.
        settings: its ``smirk_capture``; only read now.
        python: the Python that the worker runs in.
    """

    def __init__(self, scene: str, media: str, settings: Any, python: str = "") -> None:
        super().__init__(media, python)
        self._scene, self._media = scene, media
        self._job: dict[str, Any] = {"media": media, "faces_only": True, "sequence": settings.sequence}
        if settings.use_range:
            self._job.update(start=settings.start, end=settings.end or None, step=settings.step)

    def job(self) -> dict[str, Any]:
        """The worker's job."""
        return self._job

    def tick(self, *, patient: bool = True) -> State:
        """Listen to the worker."""
        self.listen()
        return self.state

    def _arrived(self, event: Mapping[str, Any]) -> None:
        faces = list(event.get("faces") or [])
        scene: Any = bpy.data.scenes.get(self._scene)
        if scene is not None:
            settings = scene.smirk_capture
            settings.found.clear()
            frames = max(1, int(event.get("frames", 1)))
            for face in sorted(faces, key=lambda face: face["number"]):  # from left to right
                item = settings.found.add()
                item.number, item.seen = int(face["number"]), float(face["seen"]) / frames
                item.picked = face is faces[0]  # the largest
                capture_preview.clear(face_icon(item.number))
                capture_preview.show(face_icon(item.number), str(face["thumbnail"]))
            settings.faces = "PICKED"
        text = texts.FACE_FOUND if len(faces) == 1 else texts.FACES_FOUND.format(count=len(faces))
        self._end(State.DONE, text)
