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

from .eye_materials import EYE_BUILDERS, EYE_COLOURS
from .hair_materials import HAIR_BUILDERS
from .nodes import Nodes
from .paint import PAINT, add_paint

__all__ = ["NAMED", "PART_PROPERTY", "add_materials"]

Colour = tuple[float, float, float]
PART_PROPERTY = "smirk_part"  # custom property of a material: which part of the head it is for
SKIN: Colour = (0.83, 0.62, 0.52)
LIPS: Colour = (0.71, 0.42, 0.39)
FLUSH: Colour = (0.80, 0.48, 0.40)
SCALP: Colour = (0.62, 0.47, 0.40)
# Colour nodes by name: what :mod:`.look` turns.
NAMED: dict[str, Colour] = {
    "Skin tone": SKIN,
    "Lips": LIPS,
    "Flush": FLUSH,
    "Scalp": SCALP,
    **EYE_COLOURS,
}


def add_materials(mesh: bpy.types.Object, model: HeadModel) -> None:
    """Fill the mesh's slots with one material per name of ``model.material_names``, in order.

    Names that are not known here get skin.
    """
    add_paint(mesh, model)
    for name in model.material_names:
        material: Any = bpy.data.materials.new(f"{mesh.name} {name}")
        if material.node_tree is None:  # from 5.0 on it is there from the start
            material.use_nodes = True
        material[PART_PROPERTY] = name
        _BUILDERS.get(name, _skin)(Nodes(material))
        mesh.data.materials.append(material)


def _skin(nodes: Nodes) -> None:
    """Skin and lips are one material, blended by soft masks: a hard edge of colour would follow the polygons."""
    nodes.plain(SKIN, roughness=0.48, specular=0.35)
    nodes.set("Subsurface Weight", 0.25)
    nodes.set("Subsurface Radius", (1.0, 0.35, 0.2))
    nodes.set("Subsurface Scale", 0.006)
    lips, flush, scalp = nodes.masks(PAINT)
    blotches = nodes.noise(scale=9.0, detail=3.0, roughness=0.6)
    tone, red, bare, lip = (nodes.named(name, NAMED[name]) for name in ("Skin tone", "Flush", "Scalp", "Lips"))
    colour = nodes.mix(nodes.ramp(blotches, 0.35, 0.75, 0.0, 0.22), tone, red)
    colour = nodes.mix(nodes.times(flush, 0.45), colour, red)
    stubble = nodes.noise(scale=160.0, detail=1.0, roughness=0.5)
    colour = nodes.mix(nodes.times(scalp, nodes.ramp(stubble, 0.35, 0.65, 0.1, 0.5)), colour, bare)
    colour = nodes.mix(nodes.times(lips, 0.8), colour, lip)
    nodes.connect(colour, "Base Color")
    nodes.connect(nodes.ramp(lips, 0.2, 0.9, 0.48, 0.34, "Skin roughness"), "Roughness")
    pores = nodes.noise(scale=220.0, detail=2.0, roughness=0.55)
    nodes.bump(pores, strength=0.12, distance=0.0006)


def _lips(nodes: Nodes) -> None:
    _skin(nodes)
    nodes.colour(LIPS)


def _mouth(nodes: Nodes) -> None:
    nodes.plain((0.42, 0.16, 0.15), roughness=0.35, specular=0.5)
    nodes.set("Subsurface Weight", 0.1)
    nodes.set("Subsurface Scale", 0.004)


def _teeth(nodes: Nodes) -> None:
    nodes.plain((0.87, 0.83, 0.75), roughness=0.22, specular=0.5)
    nodes.set("Subsurface Weight", 0.2)
    nodes.set("Subsurface Scale", 0.002)


def _gums(nodes: Nodes) -> None:
    nodes.plain((0.72, 0.38, 0.36), roughness=0.3, specular=0.5)
    nodes.set("Subsurface Weight", 0.2)
    nodes.set("Subsurface Scale", 0.003)


def _tongue(nodes: Nodes) -> None:
    nodes.plain((0.72, 0.40, 0.38), roughness=0.4, specular=0.5)
    nodes.set("Subsurface Weight", 0.2)
    nodes.set("Subsurface Scale", 0.004)
    nodes.bump(nodes.noise(scale=120.0, detail=2.0, roughness=0.6), strength=0.3, distance=0.0008)


_BUILDERS: dict[str, Callable[[Nodes], None]] = {
    "skin": _skin,
    "lips": _lips,
    "mouth": _mouth,
    **EYE_BUILDERS,
    "teeth": _teeth,
    "gums": _gums,
    "tongue": _tongue,
    **HAIR_BUILDERS,
}
