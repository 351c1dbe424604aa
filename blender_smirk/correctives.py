# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose correctives as shape keys that follow the bones by themselves.

Each key is driven by one element of R - I of a bone. The expression stays within Blender's *simple expression*
subset: it runs without Python, is fast, and works where scripts are not allowed to run.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel

from .shape_keys import add_key

__all__ = ["add_corrective_keys", "corrective_names", "rotation_element"]

Floats = npt.NDArray[np.floating[Any]]

# Elements of R(q) - I for a quaternion of any length, without the division by its square.
_ELEMENTS = (
    "-2*(y*y+z*z)", "2*(x*y-w*z)", "2*(x*z+w*y)",
    "2*(x*y+w*z)", "-2*(x*x+z*z)", "2*(y*z-w*x)",
    "2*(x*z-w*y)", "2*(y*z+w*x)", "-2*(x*x+y*y)",
)  # fmt: skip


def rotation_element(element: int) -> str:
    """Driver expression for element ``3 * row + column`` of R - I, from the quaternion w, x, y, z.

    Blender normalises a pose bone's quaternion before use (between two keys it is shorter than 1), hence the division.
    """
    return f"{_ELEMENTS[element]}/max(w*w+x*x+y*y+z*z,1e-12)"


def corrective_names(model: HeadModel) -> list[str]:
    """Key names: joint, row and column of the pose feature, e.g. ``corrective_jaw_21`` for R[2, 1] of the jaw."""
    names = []
    for feature in np.asarray(model.corrective_features).tolist():
        joint, element = divmod(feature, 9)
        names.append(f"corrective_{model.joint_names[joint + 1]}_{element // 3}{element % 3}")
    return names


def add_corrective_keys(mesh: bpy.types.Object, armature: bpy.types.Object, model: HeadModel, vertices: Floats) -> None:
    """Add one driven key per corrective of ``model`` over the rest shape ``vertices`` (V, 3), head space."""
    features = np.asarray(model.corrective_features).tolist()
    for name, feature, offset in zip(corrective_names(model), features, model.corrective_basis, strict=True):
        joint, element = divmod(feature, 9)
        # The elements of R - I lie within -2..2 and a driven value is clamped to the slider.
        key = add_key(mesh, name, vertices + offset, -2.0, 2.0)
        driver = key.driver_add("value").driver
        driver.type = "SCRIPTED"
        for index, letter in enumerate("wxyz"):
            variable = driver.variables.new()
            variable.name = letter
            target = variable.targets[0]
            target.id = armature
            target.data_path = f'pose.bones["{model.joint_names[joint + 1]}"].rotation_quaternion[{index}]'
        driver.expression = rotation_element(element)
