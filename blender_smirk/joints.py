# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints that move with shape keys, live: FLAME's follow the expression, every head's follow live identity.

A bone's rest position cannot be driven. But turning about J + d is turning about J and shifting by d - R d, and that is
what Blender's Pivot constraint does, in the bone's own axes, with d as its offset. d is a weighted sum of sliders, that
is, a simple expression for a driver. What does not fit into one expression goes into another constraint: their shifts
add up, exactly. The bone's own location stays free for the animator.

Each slider is read once, into an array on the armature, from which the fifteen sums take it: a driver finds a shape key
by comparing names, which for 300 keys in every sum would take longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel

from .drivers import LONGEST, VARIABLES, drive, key_value

__all__ = ["JointTerm", "joint_terms", "set_joint_pivots"]

Floats = npt.NDArray[np.floating[Any]]
_NAME = "Joint follows shape"
_SLIDERS = "smirk_sliders"  # custom property of the armature: the values of the terms' sliders
_SLIDER_UNIT = 1e-4  # of the expressions that fill it: see drivers.py
_UNIT = 1e-8  # metres: coefficients are whole numbers of it, which are the shortest to write


@dataclass(frozen=True)
class JointTerm:
    """How joints move with one key.

    Attributes:
        key: its name.
        per_unit: (J, 3) metres per unit of its value, head space.
        origin: the value at which the joints are where the bones rest.
    """

    key: str
    per_unit: Floats
    origin: float = 0.0


def joint_terms(
    model: HeadModel, names: Sequence[str], basis: Floats, origins: Sequence[float] | None = None
) -> list[JointTerm]:
    """Terms of the keys ``names`` of a basis (k, V, 3), regressed to the joints; origins are 0 where not given."""
    per_unit = model.joint_regressor.astype(np.float64) @ np.asarray(basis, dtype=np.float64)
    origins = [0.0] * len(names) if origins is None else origins
    return [JointTerm(*term) for term in zip(names, per_unit, origins, strict=True)]


def set_joint_pivots(armature: bpy.types.Object, keys: bpy.types.Key, model: HeadModel, terms: list[JointTerm]) -> None:
    """Let the joints of ``armature`` follow the sliders of ``keys`` by these terms and by nothing else."""
    _read_sliders(armature, keys, [term.key for term in terms])
    for joint, name in enumerate(model.joint_names):
        bone = armature.pose.bones[name]
        for constraint in [c for c in bone.constraints if c.type == "PIVOT" and c.name.startswith(_NAME)]:
            for axis in range(3):
                constraint.driver_remove("offset", axis)
            bone.constraints.remove(constraint)
        numbers = [np.round(term.per_unit[joint] / _UNIT).astype(np.int64) for term in terms]
        rest = -sum((t.origin * n for t, n in zip(terms, numbers, strict=True)), np.zeros(3))
        moving = [(slider, n) for slider, n in enumerate(numbers) if n.any()]
        while moving:
            moving = _add_pivot(armature, bone, moving, np.round(rest).astype(np.int64))
            rest = np.zeros(3)


def _read_sliders(armature: bpy.types.Object, keys: bpy.types.Key, names: Sequence[str]) -> None:
    """Let the array on the armature follow the sliders of these keys, and no others."""
    if _SLIDERS in armature:
        armature.driver_remove(f'["{_SLIDERS}"]')
        del armature[_SLIDERS]
    if names:
        armature[_SLIDERS] = [0.0] * len(names)
        for index, name in enumerate(names):
            source = {"a": (keys, key_value(name))}
            drive(armature, f'["{_SLIDERS}"]', index, f"a*{1 / _SLIDER_UNIT:g}", source, unit=_SLIDER_UNIT)


def _add_pivot(
    armature: bpy.types.Object,
    bone: bpy.types.PoseBone,
    terms: list[tuple[int, npt.NDArray[np.int64]]],
    rest: npt.NDArray[np.int64],
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """One more constraint on ``bone`` with as many (slider, numbers) terms as fit; returns those left over."""
    expressions = [f"{number:d}" if number else "" for number in rest.tolist()]
    used: list[int] = []
    for slider, numbers in terms[: len(VARIABLES)]:
        letter = VARIABLES[len(used)]
        longer = [e + (f"{n:+d}*{letter}" if n else "") for e, n in zip(expressions, numbers.tolist(), strict=True)]
        if max(map(len, longer)) > LONGEST:
            break
        expressions = longer
        used.append(slider)
    pivot: Any = bone.constraints.new("PIVOT")
    pivot.name = _NAME
    pivot.owner_space = "LOCAL"
    pivot.rotation_range = "ALWAYS_ACTIVE"
    pivot.show_expanded = False
    paths = {letter: f'["{_SLIDERS}"][{slider}]' for letter, slider in zip(VARIABLES, used, strict=False)}
    for axis, expression in enumerate(expressions):
        if expression:
            sources = {letter: (armature, path) for letter, path in paths.items() if f"*{letter}" in expression}
            drive(pivot, "offset", axis, expression, sources, unit=_UNIT)
    return terms[len(used) :]
