# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyelids that are added after skinning, unrotated, as SMIRK was trained: exact, live, and only where asked for.

The lids' shape keys stay, as sliders and for exporters, but are muted; a small Geometry Nodes modifier after the
armature adds their offsets, kept on the mesh as vectors, times the sliders. It needs no Python, but Blender 4.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError
from smirk_core.heads.head_model import HeadModel

from .drivers import drive, key_value
from .head_source import EYELIDS_PROPERTY
from .key_names import names_of
from .shape_keys import to_blender

if TYPE_CHECKING:
    from .rig import HeadObjects

__all__ = [
    "LIDS_MODIFIER",
    "add_lids_after_skinning",
    "can_add_lids",
    "lids_before_skinning",
    "lids_follow_skin",
    "set_lids",
]

Floats = npt.NDArray[np.floating[Any]]
LIDS_MODIFIER = "Eyelids after skinning"
_MARK = "smirk_lids"  # custom property of the node group: the names of its lids
_UNIT = 1e-4


def add_lids_after_skinning(mesh: bpy.types.Object, names: Sequence[str], basis: Floats) -> None:
    """Move the lid keys ``names``, which are on ``mesh``, behind its armature modifier.

    Args:
        mesh: with the keys, and with the armature modifier already in place.
        names: of the keys, left and right.
        basis: (2, V, 3) their offsets, head space, metres.
    """
    keys = mesh.data.shape_keys
    modifier: Any = mesh.modifiers.new(LIDS_MODIFIER, "NODES")
    modifier.show_expanded = False
    modifier.node_group = tree = _node_group(names)
    for name, socket, offset in zip(names, _sockets(tree), basis, strict=True):
        stored: Any = mesh.data.attributes.new(_attribute(name), "FLOAT_VECTOR", "POINT")
        stored.data.foreach_set("vector", np.float32(to_blender(np.asarray(offset))).ravel())
        keys.key_blocks[name].mute = True
        # On the object, not in the nodes: a copy of the head then follows its own sliders.
        path = f'modifiers["{modifier.name}"]["{socket.identifier}"]'
        if hasattr(modifier, "properties"):  # from 5.2 on; Blender mends the paths of older files
            path = f"{getattr(modifier.properties.inputs, socket.identifier).path_from_id()}.value"
        drive(mesh, path, -1, f"a*{1 / _UNIT:g}", {"a": (keys, key_value(name))}, unit=_UNIT)


def _attribute(name: str) -> str:
    return f"{name} offset"


def _sockets(tree: Any) -> list[Any]:
    """The inputs of the node group, called as the lid keys are."""
    return [item for item in tree.interface.items_tree if item.socket_type == "NodeSocketFloat"]


def _node_group(names: Sequence[str]) -> Any:
    """Geometry plus, for each lid, its stored offset times an input; the same group for all heads of these names."""
    for tree in bpy.data.node_groups:
        if tree.get(_MARK) == list(names) and tree.library is None:
            return tree
    made: Any = bpy.data.node_groups.new(LIDS_MODIFIER, "GeometryNodeTree")
    made[_MARK] = list(names)
    made.is_modifier = True
    made.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    made.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    for name in names:
        made.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
    given = made.nodes.new("NodeGroupInput")
    given.location = (-200.0, 120.0)
    geometry = given.outputs["Geometry"]
    for row, name in enumerate(names):
        vector = made.nodes.new("GeometryNodeInputNamedAttribute")
        vector.data_type = "FLOAT_VECTOR"
        vector.inputs["Name"].default_value = _attribute(name)
        scaled = made.nodes.new("ShaderNodeVectorMath")
        scaled.operation = "SCALE"
        place = made.nodes.new("GeometryNodeSetPosition")
        made.links.new(vector.outputs["Attribute"], scaled.inputs[0])
        made.links.new(given.outputs[name], scaled.inputs["Scale"])
        made.links.new(scaled.outputs[0], place.inputs["Offset"])
        made.links.new(geometry, place.inputs["Geometry"])
        for node, x, y in ((vector, -200, -60), (scaled, 0, -60), (place, 200, 120)):
            node.location = (x + 450.0 * row, y)
        geometry = place.outputs["Geometry"]
    result = made.nodes.new("NodeGroupOutput")
    result.location = (850.0, 120.0)
    made.links.new(geometry, result.inputs[0])
    return made


def lids_follow_skin(mesh: bpy.types.Object, follow: bool) -> None:
    """Let lids turn with the skin, as ordinary keys (True), or be added after it (False), where the rig has both."""
    modifier = mesh.modifiers.get(LIDS_MODIFIER)
    if modifier is None or modifier.node_group is None:
        return
    modifier.show_viewport = modifier.show_render = not follow
    for socket in _sockets(modifier.node_group):
        key = mesh.data.shape_keys.key_blocks.get(socket.name)
        if key is not None:
            key.mute = not follow


def set_lids(head: HeadObjects, model: HeadModel, after_skinning: bool) -> None:
    """Change a rig's lids: added after skinning, unrotated, or ordinary keys that turn with the head.

    Raises:
        SmirkError: Blender is older than 4.0 and knows no such lids.
    """
    names = names_of(head.mesh, model).eyelids
    if after_skinning and LIDS_MODIFIER not in head.mesh.modifiers:
        if not can_add_lids():
            raise SmirkError("Lids that are added after skinning need Blender 4.0 or newer.")
        add_lids_after_skinning(head.mesh, names, model.eyelid_basis)
    lids_follow_skin(head.mesh, not after_skinning)
    for obj in (head.armature, head.mesh):
        obj[EYELIDS_PROPERTY] = "faithful" if after_skinning else "rig"


def can_add_lids() -> bool:
    """Whether this Blender knows what lids after skinning are made of."""
    return bpy.app.version >= (4, 0)  # tree.interface


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
