# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, lips, eyes, teeth, brows: node materials for the slots of a head, without image files.

All are Principled BSDF, so they work in EEVEE and Cycles. The plain colour of the ``Base Color`` socket is set as well
where nodes are connected to it: exporters fall back to it. Colours below are sRGB, as a colour picker shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from smirk_core.heads.head_model import HeadModel

from .eye_materials import EYE_BUILDERS, EYE_COLOURS, eye_builders
from .hair_materials import HAIR_BUILDERS
from .mouth_materials import MOUTH_BUILDERS, MOUTH_COLOURS
from .nodes import Nodes
from .paint import add_paint
from .skin_material import SKIN_BUILDERS, SKIN_COLOURS
from .skin_paint import add_skin_paint

__all__ = ["NAMED", "PART_PROPERTY", "add_materials"]

Colour = tuple[float, float, float]
PART_PROPERTY = "smirk_part"  # custom property of a material: which part of the head it is for
# Colour nodes by name: what :mod:`.look` turns.
NAMED: dict[str, Colour] = {
    **SKIN_COLOURS,
    **EYE_COLOURS,
    **MOUTH_COLOURS,
}


def add_materials(mesh: bpy.types.Object, model: HeadModel) -> None:
    """Fill the mesh's slots with one material per name of ``model.material_names``, in order.

    Names that are not known here get skin.
    """
    add_paint(mesh, model)
    add_skin_paint(mesh, model)
    builders = {**_BUILDERS, **eye_builders(model)}
    for name in model.material_names:
        material: Any = bpy.data.materials.new(f"{mesh.name} {name}")
        if material.node_tree is None:  # from 5.0 on it is there from the start
            material.use_nodes = True
        material[PART_PROPERTY] = name
        builders.get(name, builders["skin"])(Nodes(material))
        mesh.data.materials.append(material)


_BUILDERS: dict[str, Callable[[Nodes], None]] = {
    **SKIN_BUILDERS,
    **EYE_BUILDERS,
    **MOUTH_BUILDERS,
    **HAIR_BUILDERS,
}
