# SPDX-License-Identifier: GPL-3.0-or-later
"""Which head model a rig in the scene was built from, and how to get it again, also after save and load."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import bpy

from smirk_core.heads import library
from smirk_core.heads.flame import EXPRESSIONS
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

EXPRESSIONS_PROPERTY = "smirk_expressions"  # how many expressions it has: FLAME's can be loaded with more or fewer

_models: dict[tuple[str, int], HeadModel] = {}  # by digest and expressions, of this session; nothing of Blender's
_sources: dict[str, str] = {}  # digest -> where it was loaded from


def load_remembered(head: str | os.PathLike[str] | HeadModel) -> HeadModel:
    """A head by name, file or as it is, remembered so that :func:`marked_model` finds it at once.

    Raises:
        AssetError: the file is missing, damaged or of another kind.
    """
    model = head if isinstance(head, HeadModel) else library.load_head(head)
    _models[model.digest, model.expression_size] = model
    if not isinstance(head, HeadModel):
        _sources[model.digest] = str(head) if str(head) in library.HEAD_NAMES else str(Path(head).absolute())
    return model


def mark(obj: bpy.types.Object, model: HeadModel) -> None:
    """Note on a rig's object which model it is of."""
    _models[model.digest, model.expression_size] = model
    obj[HEAD_PROPERTY] = model.name
    obj[DIGEST_PROPERTY] = model.digest
    obj[SOURCE_PROPERTY] = _sources.get(model.digest, "")
    obj[EXPRESSIONS_PROPERTY] = model.expression_size
    obj[EYELIDS_PROPERTY] = "faithful" if model.eyelids_after_skinning else "rig"


def marked_model(obj: bpy.types.Object) -> HeadModel:
    """The model noted on ``obj`` by :func:`mark`: of this session, from where it came from, or wherever it is now.

    Raises:
        AssetError: it is not here any more; the message says what to do.
    """
    digest, expressions = obj[DIGEST_PROPERTY], obj.get(EXPRESSIONS_PROPERTY, EXPRESSIONS)
    faithful = obj.get(EYELIDS_PROPERTY, "rig") == "faithful"
    model = _models.get((digest, expressions))
    if model is None:
        source = obj.get(SOURCE_PROPERTY, "")
        here = source in library.HEAD_NAMES or Path(source).is_file()
        model = library.find_head(obj[HEAD_PROPERTY], digest, source if here else None, expressions=expressions)
        _models[digest, expressions] = model
    return model if model.eyelids_after_skinning == faithful else replace(model, eyelids_after_skinning=faithful)
