# SPDX-License-Identifier: GPL-3.0-or-later
"""Which head model a rig in the scene was built from, and how to get it again, also after save and load."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import bpy

from smirk_core.errors import AssetError
from smirk_core.heads import library
from smirk_core.heads.head_model import HeadModel

__all__ = [
    "DIGEST_PROPERTY",
    "EYELIDS_PROPERTY",
    "HEAD_PROPERTY",
    "SOURCE_PROPERTY",
    "load_remembered",
    "mark",
    "marked_model",
]

HEAD_PROPERTY = "smirk_head_name"  # custom properties of armature and mesh: name of the head model,
DIGEST_PROPERTY = "smirk_head_digest"  # its fingerprint,
SOURCE_PROPERTY = "smirk_head_source"  # where it came from: "open" or a file,
EYELIDS_PROPERTY = "smirk_eyelids"  # and when its lids are added: "rig" before or "faithful" after skinning

_models: dict[str, HeadModel] = {}  # digest -> model, of this session; nothing of Blender's is kept
_sources: dict[str, str] = {}


def load_remembered(head: str | os.PathLike[str] | HeadModel) -> HeadModel:
    """A head by name, file or as it is, remembered so that :func:`marked_model` finds it at once.

    Raises:
        AssetError: the file is missing, damaged or of another kind.
    """
    model = head if isinstance(head, HeadModel) else library.load_head(head)
    _models[model.digest] = model
    if not isinstance(head, HeadModel):
        _sources[model.digest] = "open" if str(head) == "open" else str(Path(head).absolute())
    return model


def mark(obj: bpy.types.Object, model: HeadModel) -> None:
    """Note on a rig's object which model it is of."""
    _models[model.digest] = model
    obj[HEAD_PROPERTY] = model.name
    obj[DIGEST_PROPERTY] = model.digest
    obj[SOURCE_PROPERTY] = _sources.get(model.digest, "")
    obj[EYELIDS_PROPERTY] = "faithful" if model.eyelids_after_skinning else "rig"


def marked_model(obj: bpy.types.Object) -> HeadModel:
    """The model noted on ``obj`` by :func:`mark`.

    Raises:
        AssetError: its file is gone or is another one now.
    """
    name, digest = obj[HEAD_PROPERTY], obj[DIGEST_PROPERTY]
    if digest not in _models:
        _models[digest] = library.load_head(obj.get(SOURCE_PROPERTY) or "open")
    model = _models[digest]
    if model.digest != digest:
        raise AssetError(f"The head '{name}' that '{obj.name}' was built from is another one now: build it again.")
    faithful = obj.get(EYELIDS_PROPERTY, "rig") == "faithful"
    return model if model.eyelids_after_skinning == faithful else replace(model, eyelids_after_skinning=faithful)
