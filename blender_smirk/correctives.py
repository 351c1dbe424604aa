# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose correctives as shape keys that follow the bones by themselves.

Each key is driven by one element of R - I of a bone. The expression stays within Blender's *simple expression*
subset: it runs without Python, is fast, and works where scripts are not allowed to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel

from .drivers import drive, key_value
from .key_names import eyelid_names
from .shape_keys import add_key

__all__ = ["add_corrective_keys", "rotation_element"]

Floats = npt.NDArray[np.floating[Any]]

_UNIT = 1e-4  # of the expressions: see drivers.py

# Elements of R(q) - I for a quaternion of any length, in units, without the division by its square.
_ELEMENTS = (
    "-2e4*(y*y+z*z)", "2e4*(x*y-w*z)", "2e4*(x*z+w*y)",
    "2e4*(x*y+w*z)", "-2e4*(x*x+z*z)", "2e4*(y*z-w*x)",
    "2e4*(x*z-w*y)", "2e4*(y*z+w*x)", "-2e4*(x*x+y*y)",
)  # fmt: skip


_CLOSED = "min(max(e,0),1)"


def rotation_element(element: int) -> str:
    """Driver expression for element ``3 * row + column`` of 1e4 (R - I), from the quaternion w, x, y, z.

    Blender normalises a pose bone's quaternion before use (between two keys it is shorter than 1), hence the division.
    """
    return f"{_ELEMENTS[element]}/max(w*w+x*x+y*y+z*z,1e-12)"


def add_corrective_keys(
    mesh: bpy.types.Object, armature: bpy.types.Object, model: HeadModel, vertices: Floats, names: Sequence[str]
) -> None:
    """Add one driven key, called as in ``names``, per corrective of ``model`` over rest ``vertices`` (V, 3)."""
    features = np.asarray(model.corrective_features).tolist()
    for name, feature, offset in zip(names, features, model.corrective_basis, strict=True):
        joint, element = divmod(feature, 9)
        closure, down = None, 0
        if joint == len(model.joint_names) - 1:  # a lid's: see smirk_core.heads.decode.lid_features
            side, down = divmod(element, 2)
            closure = (mesh.data.shape_keys, key_value(eyelid_names(model)[side]))
            joint, element = 2 + side, 7
        # The elements of R - I lie within -2..2 and a driven value is clamped to the slider.
        key = add_key(mesh, name, vertices + offset, -2.0, 2.0)
        path = f'pose.bones["{model.joint_names[joint + 1]}"].rotation_quaternion'
        sources = {letter: (armature, f"{path}[{index}]") for index, letter in enumerate("wxyz")}
        expression = rotation_element(element)
        if closure is not None:
            expression = f"({expression})*{_CLOSED}" if down else f"1e4*{_CLOSED}*(1-{_CLOSED})"
            sources = {**sources, "e": closure} if down else {"e": closure}
        drive(key, "value", -1, expression, sources, unit=_UNIT)
