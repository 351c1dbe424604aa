# SPDX-License-Identifier: GPL-3.0-or-later
"""From the settings in the panel to what a capture needs to know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import bpy

from smirk_core.errors import MediaError, SmirkError

from .capture_session import CaptureRequest
from .rig import HeadObjects
from .texts import capture as words
from .worker_python import worker_python

__all__ = ["absolute", "media_paths", "requests_from", "tracking_options"]


def media_paths(settings: Any) -> list[str]:
    """All chosen files as absolute paths, Blender's ``//`` understood."""
    paths = [settings.media, *(item.path for item in settings.more)]
    return [absolute(path) for path in paths if path]


def absolute(path: str) -> str:
    """A path that means the same in another process, which works in another folder."""
    return os.path.abspath(bpy.path.abspath(path))  # noqa: PTH100 - may be a pattern


def tracking_options(settings: Any) -> dict[str, Any]:
    """The keys of the worker's job that the settings stand for; see :class:`smirk_core.commands.options.TrackOptions`.

    Raises:
        SmirkError: faces are to be picked and none is.
    """
    options: dict[str, Any] = {"solve": settings.solve, "sequence": settings.sequence}
    if settings.faces == "COUNT":
        options["faces"] = settings.face_count
    elif settings.faces == "PICKED" and not any(face.picked for face in settings.found):
        raise SmirkError(words.NO_FACE_PICKED)
    else:
        options["faces"] = "all" if settings.faces == "ALL" else "largest"
    if settings.use_range:
        options["start"], options["step"] = settings.start, settings.step
        options["end"] = settings.end or None
    if settings.encoder == "NONE":
        options["encoder"] = "none"
    elif settings.encoder == "SMIRK":
        options["encoder"] = "smirk"
    elif settings.encoder == "FILE" and settings.encoder_file:
        options["encoder"] = absolute(settings.encoder_file)
    return options


def requests_from(context: bpy.types.Context, settings: Any, paths: Sequence[str] = ()) -> list[CaptureRequest]:
    """One request for each chosen file (or each of ``paths``), checked as far as it can be without opening them.

    Raises:
        SmirkError: no file is chosen, no face is picked, or no head is selected that the take could go onto.
    """
    media = list(paths) or media_paths(settings)
    if not media:
        raise MediaError(words.POLL_MEDIA)
    onto = ""
    if settings.target == "SELECTED":
        active = context.active_object
        head = HeadObjects.of(active) if active is not None else None
        if head is None:
            raise SmirkError(words.NO_SELECTED_HEAD)
        onto = head.armature.name
    options = tracking_options(settings)
    picked = tuple(face.number for face in settings.found if face.picked) if settings.faces == "PICKED" else ()
    head = {"OPEN": "open", "FLAME": "flame", "FILE": absolute(settings.head_file) if settings.head_file else "open"}
    return [
        CaptureRequest(
            media=path,
            tracking=options,
            head=head[settings.head],
            onto=onto,
            frame_start=settings.frame_start,
            raw=settings.raw,
            lens=settings.lens,
            footage=settings.footage,
            picked=picked if n == 0 else (),  # the faces of the first file say nothing about the others
            python=worker_python(),
        )
        for n, path in enumerate(media)
    ]
