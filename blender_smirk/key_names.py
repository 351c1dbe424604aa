# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shape keys of a head are called: in our own words, or as users of FLAME add-ons know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import bpy
import numpy as np

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES

__all__ = ["NAMES_PROPERTY", "KeyNames", "NameStyle", "corrective_names", "eyelid_names", "key_names", "names_of"]

NameStyle = Literal["smirk", "flame"]
NAMES_PROPERTY = "smirk_names"  # custom property of armature and mesh: the style their keys are named in


@dataclass(frozen=True)
class KeyNames:
    """The names of all keys a head can have, in the order of the model's bases.

    Attributes:
        identity: K names; only those of live components are on the mesh.
        expression: E names.
        eyelids: left, right.
        correctives: C names.
    """

    identity: tuple[str, ...]
    expression: tuple[str, ...]
    eyelids: tuple[str, str]
    correctives: tuple[str, ...]


def key_names(model: HeadModel, style: NameStyle = "smirk") -> KeyNames:
    """The names of ``model``'s keys in a style: ``smirk``, or ``flame`` with Shape1…, Exp1…, Pose1…Pose36.

    FLAME itself has no eyelids: they have the same names in both styles. Bones are called root, neck, jaw, left_eye
    and right_eye in both.

    Raises:
        ValueError: there is no such style.
    """
    if style == "flame":
        return KeyNames(
            tuple(f"Shape{number}" for number in range(1, model.identity_size + 1)),
            tuple(f"Exp{number}" for number in range(1, model.expression_size + 1)),
            eyelid_names(model),
            tuple(f"Pose{feature + 1}" for feature in np.asarray(model.corrective_features).tolist()),
        )
    if style != "smirk":
        raise ValueError(f"no such style of names: {style!r}")
    return KeyNames(
        tuple(f"identity_{number:03d}" for number in range(1, model.identity_size + 1)),
        tuple(model.expression_names),
        eyelid_names(model),
        tuple(corrective_names(model)),
    )


def names_of(obj: bpy.types.Object, model: HeadModel) -> KeyNames:
    """The names in use on a head, of which ``obj`` is the armature or the mesh."""
    return key_names(model, obj.get(NAMES_PROPERTY, "smirk"))


def eyelid_names(model: HeadModel) -> tuple[str, str]:
    """Names of the two lid keys: ARKit's where the head's expressions are ARKit's."""
    if set(model.expression_names) <= set(ARKIT_NAMES):
        return "eyeBlinkLeft", "eyeBlinkRight"
    return "eyelidLeft", "eyelidRight"


def corrective_names(model: HeadModel) -> list[str]:
    """Key names: joint, row and column of the pose feature, e.g. ``corrective_jaw_21`` for R[2, 1] of the jaw.

    Those of the lids are called ``corrective_left_lid_arc`` and ``corrective_left_lid_down``.
    """
    names = []
    for feature in np.asarray(model.corrective_features).tolist():
        joint, element = divmod(feature, 9)
        if joint == len(model.joint_names) - 1:  # the lids' own: see smirk_core.heads.decode.lid_features
            names.append(f"corrective_{('left', 'right')[element // 2]}_lid_{('arc', 'down')[element % 2]}")
            continue
        names.append(f"corrective_{model.joint_names[joint + 1]}_{element // 3}{element % 3}")
    return names
