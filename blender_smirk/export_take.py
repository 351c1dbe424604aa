# SPDX-License-Identifier: GPL-3.0-or-later
"""A take of the scene as a file: whole, or as the table that Live Link Face writes."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from smirk_core.errors import ExportError
from smirk_core.export.csv import write_csv
from smirk_core.heads.head_model import HeadModel
from smirk_core.retarget.performance import performance_of

from .retarget import model_of as model_of_take
from .rig import HeadObjects, model_of
from .take_store import take_of

__all__ = ["save_csv", "save_take"]


def save_take(action: bpy.types.Action, path: str | os.PathLike[str]) -> Path:
    """Write the take that an action was made from, as it is refined now, to ``NAME.take.npz``.

    Raises:
        TakeError: the action holds no take, or the file cannot be written.
    """
    place = _place(path, ".npz", ".take.npz")
    return take_of(action).save(place)


def save_csv(
    action: bpy.types.Action,
    path: str | os.PathLike[str],
    *,
    head: HeadObjects | None = None,
    model: HeadModel | None = None,
    raw: bool = False,
) -> Path:
    """Write the take of an action as Live Link Face does: 52 ARKit channels and the angles of head and eyes.

    Args:
        action: made from a take.
        path: ``NAME.csv``.
        head: the head that plays it, which knows its model; the open head is taken where neither is given.
        model: the head model.
        raw: without the take's filters.

    Raises:
        TakeError: the take's expressions have no ARKit names.
        ExportError: the file cannot be written.
    """
    take = take_of(action)
    if model is None:
        model = model_of(head) if head is not None else model_of_take(take)
    performance_of(take, model)  # refuses heads without ARKit names in words of its own
    return write_csv(take, model, _place(path, ".csv", ".csv"), layout="livelink", raw=raw)


def _place(path: str | os.PathLike[str], suffix: str, ending: str) -> Path:
    place = Path(bpy.path.abspath(os.fspath(path))).absolute()
    if place.is_dir():
        raise ExportError(f"Cannot write {place}: it is a folder.")
    return place if place.suffix.lower() == suffix else place.with_name(place.name + ending)
