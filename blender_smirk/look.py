# SPDX-License-Identifier: GPL-3.0-or-later
"""The look of a head's skin and eyes: a few numbers, kept in the materials' own nodes and nowhere else.

Colours that follow from one another (the flush of cheeks from the tone of the skin, the dark of the iris from its
colour) keep their proportions.
"""

from __future__ import annotations

from typing import Any

import bpy

from .materials import NAMED, PART_PROPERTY
from .nodes import linear

__all__ = ["COLOURS", "colour_of", "has_look", "roughness_of", "set_colour", "set_roughness"]

Colour = tuple[float, float, float]
_ROUGHNESS = "Skin roughness"
# What can be turned -> colours that go with it.
COLOURS: dict[str, tuple[str, ...]] = {
    "Skin tone": ("Flush", "Scalp", "Lips"),
    "Lips": (),
    "Iris": ("Iris dark", "Iris ring"),
}


def has_look(mesh: bpy.types.Object, name: str = "Skin tone") -> bool:
    """Whether the materials of a head can be turned here: those that it was built with."""
    return bool(_nodes(mesh, name))


def colour_of(mesh: bpy.types.Object, name: str) -> Colour:
    """A colour (linear, as Blender's own colour fields) of :data:`COLOURS`; the default where there is no such node."""
    found = _nodes(mesh, name)
    value = found[0][1].outputs[0].default_value if found else linear(NAMED[name])
    return value[0], value[1], value[2]


def set_colour(mesh: bpy.types.Object, name: str, colour: Colour) -> None:
    """Set a colour (linear) of :data:`COLOURS`, and those that go with it in proportion."""
    before = colour_of(mesh, name)
    for other in COLOURS.get(name, ()):
        default = [a / b for a, b in zip(linear(NAMED[other])[:3], linear(NAMED[name])[:3], strict=True)]
        # Proportions as they are now, or the usual ones where black has swallowed them.
        now = colour_of(mesh, other)
        shares = [n / b if b > 1e-4 else d for n, b, d in zip(now, before, default, strict=True)]
        _write(mesh, other, tuple(min(1.0, c * s) for c, s in zip(colour, shares, strict=True)))
    _write(mesh, name, colour)


def roughness_of(mesh: bpy.types.Object) -> float:
    """Roughness of the skin; lips are a little glossier."""
    found = _nodes(mesh, _ROUGHNESS)
    return found[0][1].inputs["To Min"].default_value if found else 0.5


def set_roughness(mesh: bpy.types.Object, value: float) -> None:
    """Set the roughness of the skin; lips keep their proportion to it."""
    for material, node in _nodes(mesh, _ROUGHNESS):
        low, high = node.inputs["To Min"], node.inputs["To Max"]
        share = high.default_value / low.default_value if low.default_value > 1e-4 else 0.7
        low.default_value, high.default_value = value, value * share
        _shader(material).inputs["Roughness"].default_value = value


def _write(mesh: bpy.types.Object, name: str, colour: Any) -> None:
    value = (*colour, 1.0)
    for material, node in _nodes(mesh, name):
        node.outputs[0].default_value = value
        lips = material.get(PART_PROPERTY) == "lips"
        if name == ("Lips" if lips else "Skin tone") or name == "Iris":  # the plain colour: solid view and exporters
            _shader(material).inputs["Base Color"].default_value = value
            material.diffuse_color = value


def _shader(material: Any) -> Any:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")


def _nodes(mesh: bpy.types.Object, name: str) -> list[tuple[Any, Any]]:
    """All (material, node) of a head with nodes of this name; materials of other files cannot be turned."""
    found = []
    for material in dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None):
        tree = material.node_tree
        node = tree.nodes.get(name) if tree is not None and material.library is None else None
        if node is not None:
            found.append((material, node))
    return found
