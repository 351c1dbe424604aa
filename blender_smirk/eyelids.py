# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyelids that are added after skinning, unrotated, as SMIRK was trained: exact, live, and only where asked for.

The lids' shape keys stay, as sliders and for exporters, but are muted; a small Geometry Nodes modifier after the
armature adds their offsets, kept on the mesh as vectors, times the sliders. It needs no Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from .drivers import drive, key_value
from .shape_keys import to_blender

__all__ = ["LIDS_MODIFIER", "add_lids_after_skinning", "lids_before_skinning", "lids_follow_skin"]

Floats = npt.NDArray[np.floating[Any]]
LIDS_MODIFIER = "Eyelids after skinning"
_UNIT = 1e-4


def add_lids_after_skinning(mesh: bpy.types.Object, names: Iterable[str], basis: Floats) -> None:
    """Move the lid keys ``names``, which are on ``mesh``, behind its armature modifier.

    Args:
        mesh: with the keys, and with the armature modifier already in place.
        names: of the keys, left and right.
        basis: (2, V, 3) their offsets, head space, metres.
    """
    modifier: Any = mesh.modifiers.new(LIDS_MODIFIER, "NODES")
    modifier.show_expanded = False
    tree: Any = bpy.data.node_groups.new(f"{mesh.name} eyelids", "GeometryNodeTree")
    modifier.node_group = tree
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    geometry = tree.nodes.new("NodeGroupInput")
    geometry.location = (-200.0, 120.0)
    for row, (name, offset) in enumerate(zip(names, basis, strict=True)):
        attribute = f"{name} offset"
        stored: Any = mesh.data.attributes.new(attribute, "FLOAT_VECTOR", "POINT")
        stored.data.foreach_set("vector", np.float32(to_blender(np.asarray(offset))).ravel())
        mesh.data.shape_keys.key_blocks[name].mute = True
        vector = tree.nodes.new("GeometryNodeInputNamedAttribute")
        vector.data_type = "FLOAT_VECTOR"
        vector.inputs["Name"].default_value = attribute
        closed = tree.nodes.new("ShaderNodeValue")
        closed.name = closed.label = name
        source = {"a": (mesh.data.shape_keys, key_value(name))}
        drive(closed.outputs[0], "default_value", -1, f"a*{1 / _UNIT:g}", source, unit=_UNIT)
        scaled = tree.nodes.new("ShaderNodeVectorMath")
        scaled.operation = "SCALE"
        place = tree.nodes.new("GeometryNodeSetPosition")
        tree.links.new(vector.outputs["Attribute"], scaled.inputs[0])
        tree.links.new(closed.outputs[0], scaled.inputs["Scale"])
        tree.links.new(scaled.outputs[0], place.inputs["Offset"])
        tree.links.new(geometry.outputs[0], place.inputs["Geometry"])
        for node, x, y in ((vector, -200, -60), (closed, -200, -240), (scaled, 0, -60), (place, 200, 120)):
            node.location = (x + 450.0 * row, y)
        geometry = place
    result = tree.nodes.new("NodeGroupOutput")
    result.location = (850.0, 120.0)
    tree.links.new(geometry.outputs[0], result.inputs[0])


def lids_follow_skin(mesh: bpy.types.Object, follow: bool) -> None:
    """Let lids turn with the skin, as ordinary keys (True), or be added after it (False), where the rig has both."""
    modifier = mesh.modifiers.get(LIDS_MODIFIER)
    if modifier is None:
        return
    modifier.show_viewport = modifier.show_render = not follow
    for node in modifier.node_group.nodes:
        if node.bl_idname == "ShaderNodeValue":
            mesh.data.shape_keys.key_blocks[node.name].mute = not follow


@contextmanager
def lids_before_skinning(meshes: Iterable[bpy.types.Object]) -> Iterator[None]:
    """Let the lids be ordinary keys for as long as an exporter runs: no other program knows keys after skinning."""
    changed = [m for m in meshes if LIDS_MODIFIER in m.modifiers and m.modifiers[LIDS_MODIFIER].show_viewport]
    try:
        for mesh in changed:
            lids_follow_skin(mesh, True)
        yield
    finally:
        for mesh in changed:
            lids_follow_skin(mesh, False)
