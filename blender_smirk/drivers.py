# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers that need no Python: simple expressions, in units of our choice.

Blender 5.2 takes a driver's result between 0 and 1e-4 for 0: a tenth of a millimetre where a driver moves a joint.
Here expressions give large numbers, and a polynomial on the driver's curve, which comes after that, brings them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

__all__ = ["LONGEST", "VARIABLES", "drive", "key_value"]

LONGEST = 255  # characters that Blender stores of an expression
VARIABLES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
Source = tuple[bpy.types.ID, str]


def key_value(name: str) -> str:
    """RNA path of a shape key's slider from its Key data-block."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def drive(
    owner: Any, path: str, index: int, expression: str, sources: Mapping[str, Source], unit: float = 1.0
) -> bpy.types.FCurve:
    """Let ``owner.path[index]`` be ``unit`` times an expression of ``sources``.

    Args:
        owner: what has the property.
        path: the property.
        index: its element; -1 for a plain number.
        expression: a simple one; beyond :data:`LONGEST` characters Blender would cut it off.
        sources: variable name -> (data-block, RNA path).
        unit: see above.

    Raises:
        ValueError: the expression is too long.
    """
    if len(expression) > LONGEST:
        raise ValueError(f"an expression of {len(expression)} characters")
    curve = owner.driver_add(path, index)
    driver = curve.driver
    driver.type = "SCRIPTED"
    for name, (block, source) in sources.items():
        variable = driver.variables.new()
        variable.name = name
        variable.type = "SINGLE_PROP"
        target = variable.targets[0]
        kind = block.bl_rna.identifier.upper()
        if kind != "OBJECT":  # the type of a new target
            target.id_type = kind
        target.id = block
        target.data_path = source
    driver.expression = expression
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    polynomial: Any = curve.modifiers.new("GENERATOR")
    polynomial.poly_order = 1
    polynomial.coefficients = (0.0, unit)
    return curve
