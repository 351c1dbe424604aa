# SPDX-License-Identifier: GPL-3.0-or-later
"""The shader side of wrinkles: a node group that mixes the packed maps, and where it goes into a skin material.

The activation of each group is a custom property of the object, four to a property, read by Attribute nodes: nothing
of Python runs while an animation plays, and copies of a head with shared materials still wrinkle each on its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.detail.atlas import RANGE, Atlas, png_bytes
from smirk_core.detail.person import PersonDetail

from .materials import PART_PROPERTY

__all__ = [
    "PERSON_RANGE",
    "SHADER_PROPERTY",
    "connect",
    "disconnect",
    "is_connected",
    "packed_image",
    "person_pixels",
    "skin_materials",
    "wrinkle_group",
]

SHADER_PROPERTY = "smirk_wrinkles_"  # custom properties of the mesh object, with a number: activations of four groups
PERSON_RANGE = 0.004  # metres between the values 0 and 1 of a person's map
_NODE, _BUMP, _DISPLACE = "Smirk wrinkles", "Smirk wrinkles bump", "Smirk wrinkles displacement"
_BEFORE = "smirk_before_wrinkles"  # custom property of a material: the node and socket of its normals before
_SKIN = ("skin", "lips")


def skin_materials(mesh: bpy.types.Object) -> list[Any]:
    """The materials of a head that show skin, of this file."""
    found = dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None)
    return [m for m in found if m.library is None and m.node_tree is not None and m.get(PART_PROPERTY) in _SKIN]


def packed_image(name: str, pixels: npt.NDArray[np.unsignedinteger[Any]]) -> bpy.types.Image:
    """A greyscale or colour picture, 8 or 16 bits, as a packed image that is no colour."""
    with tempfile.TemporaryDirectory(prefix="smirk-") as folder:
        path = Path(folder) / f"{bpy.path.clean_name(name)}.png"
        path.write_bytes(png_bytes(pixels))
        image = bpy.data.images.load(str(path), check_existing=False)
        image.name = name
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "NONE"
        image.pack()
        image.filepath = image.filepath_raw = f"//{path.name}"  # of the packed file; the folder is gone in a moment
    return image


def person_pixels(detail: PersonDetail) -> npt.NDArray[np.uint16]:
    """(H, W) the relief of a person as a picture: 32768 is level."""
    value = 32768 + np.rint(detail.height / (PERSON_RANGE / 65535))
    return np.clip(value, 0, 65535).astype(np.uint16)


class _Tree:
    """Builds the node group; numbers can stand wherever a socket can."""

    def __init__(self, tree: Any) -> None:
        self.tree, self.made = tree, 0

    def new(self, kind: str) -> Any:
        node = self.tree.nodes.new(kind)
        column, row = divmod(self.made, 8)
        node.location = (200 * column - 1200, 300 - 170 * row)
        node.hide = kind == "ShaderNodeMath"
        self.made += 1
        return node

    def math(self, operation: str, *values: Any) -> Any:
        node = self.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, values, strict=False):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                self.tree.links.new(value, socket)
        return node.outputs[0]

    def image(self, image: bpy.types.Image, place: Any, interpolation: str, extension: str) -> Any:
        node = self.new("ShaderNodeTexImage")
        node.image, node.interpolation, node.extension = image, interpolation, extension
        self.tree.links.new(place, node.inputs["Vector"])
        return node.outputs["Color"]

    def window(self, place: Any, bounds: tuple[float, float, float, float]) -> Any:
        """Places in the UV square as places in a window of it."""
        low_u, low_v, high_u, high_v = bounds
        node = self.new("ShaderNodeMapping")
        wide, tall = 1 / (high_u - low_u), 1 / (high_v - low_v)
        node.inputs["Scale"].default_value = (wide, tall, 1.0)
        node.inputs["Location"].default_value = (-low_u * wide, -low_v * tall, 0.0)
        self.tree.links.new(place, node.inputs["Vector"])
        return node.outputs["Vector"]

    def split(self, colour: Any) -> list[Any]:
        node = self.new("ShaderNodeSeparateColor")
        self.tree.links.new(colour, node.inputs[0])
        return list(node.outputs)[:3]


def wrinkle_group(
    name: str, uv_layer: str, atlas: Atlas, images: tuple[bpy.types.Image, bpy.types.Image],
    person: tuple[bpy.types.Image, PersonDetail] | None, person_property: str,
) -> Any:  # fmt: skip
    """A node group with one output, the height of all wrinkles in metres.

    Args:
        name: of the group.
        uv_layer: UV map of the head.
        atlas: what was packed; ``images``: its heights and owners.
        person: a person's own relief and its image.
        person_property: custom property of the object that scales it.
    """
    group: Any = bpy.data.node_groups.new(name, "ShaderNodeTree")
    if bpy.app.version >= (4, 0):
        group.interface.new_socket("Height", in_out="OUTPUT", socket_type="NodeSocketFloat")
    else:
        group.outputs.new("NodeSocketFloat", "Height")
    tree = _Tree(group)
    uv = tree.new("ShaderNodeUVMap")
    uv.uv_map = uv_layer
    place = tree.window(uv.outputs["UV"], atlas.window.bounds)
    heights = tree.split(tree.image(images[0], place, "Cubic", "EXTEND"))
    owners = tree.split(tree.image(images[1], place, "Closest", "CLIP"))
    activations = _activations(tree, len(atlas.channels))
    total: Any = 0.0
    for channel, (height, owner) in enumerate(zip(heights, owners, strict=True)):
        share: Any = 0.0
        for index in np.flatnonzero(atlas.channels == channel).tolist():
            mine = tree.math("COMPARE", owner, (index + 1) / 255, 0.4 / 255)
            share = tree.math("MULTIPLY_ADD", mine, activations[index], share)
        raised = tree.math("SUBTRACT", height, 32768 / 65535)
        total = tree.math("MULTIPLY_ADD", raised, share, total)
    total = tree.math("MULTIPLY", total, RANGE)
    if person is not None:
        image, detail = person
        own = tree.split(tree.image(image, tree.window(uv.outputs["UV"], detail.window.bounds), "Cubic", "EXTEND"))[0]
        strength = tree.new("ShaderNodeAttribute")
        strength.attribute_type, strength.attribute_name = "OBJECT", person_property
        own = tree.math("MULTIPLY", tree.math("SUBTRACT", own, 32768 / 65535), PERSON_RANGE)
        total = tree.math("MULTIPLY_ADD", own, strength.outputs["Fac"], total)
    end = tree.new("NodeGroupOutput")
    group.links.new(total, end.inputs[0])
    return group


def _activations(tree: _Tree, count: int) -> list[Any]:
    """One socket for each group, from the object's properties."""
    sockets: list[Any] = []
    for number in range(-(-count // 4)):
        node = tree.new("ShaderNodeAttribute")
        node.attribute_type, node.attribute_name = "OBJECT", f"{SHADER_PROPERTY}{number}"
        sockets += [*tree.split(node.outputs["Color"]), node.outputs["Alpha"]]
    return sockets[:count]


def is_connected(mesh: bpy.types.Object) -> bool:
    """Whether the skin of a head goes through wrinkle nodes."""
    return any(m.node_tree.nodes.get(_NODE) is not None for m in skin_materials(mesh))


def connect(material: Any, group: Any, displacement: bool) -> None:
    """Put the group's height before the normals of a material, on top of what bumps there are.

    Args:
        material: of skin.
        group: from :func:`wrinkle_group`.
        displacement: move the surface in Cycles, where the mesh is fine enough, rather than its normals alone.
    """
    tree = material.node_tree
    node = tree.nodes.new("ShaderNodeGroup")
    node.name = node.label = _NODE
    node.node_tree = group
    node.location = (-420, -620)
    if displacement:
        raised = tree.nodes.new("ShaderNodeDisplacement")
        raised.name = raised.label = _DISPLACE
        raised.location = (0, -620)
        raised.inputs["Midlevel"].default_value = 0.0
        raised.inputs["Scale"].default_value = 1.0
        tree.links.new(node.outputs[0], raised.inputs["Height"])
        output = next(n for n in tree.nodes if n.type == "OUTPUT_MATERIAL")
        tree.links.new(raised.outputs[0], output.inputs["Displacement"])
        _set_method(material, "BOTH")
        return
    bump = tree.nodes.new("ShaderNodeBump")
    bump.name = bump.label = _BUMP
    bump.location = (-200, -620)
    bump.inputs["Strength"].default_value = 1.0
    bump.inputs["Distance"].default_value = 1.0  # heights are in metres
    tree.links.new(node.outputs[0], bump.inputs["Height"])
    normal = _shader(material).inputs["Normal"]
    if normal.is_linked:
        before = normal.links[0].from_socket
        material[_BEFORE] = f"{before.node.name}\n{before.name}"
        tree.links.new(before, bump.inputs["Normal"])
    tree.links.new(bump.outputs["Normal"], normal)


def disconnect(material: Any) -> None:
    """Take the nodes of :func:`connect` out again."""
    tree = material.node_tree
    bump = tree.nodes.get(_BUMP)
    if tree.nodes.get(_DISPLACE) is not None:
        _set_method(material, "BUMP")
    for name in (_NODE, _BUMP, _DISPLACE):
        node = tree.nodes.get(name)
        if node is not None:
            tree.nodes.remove(node)
    if bump is not None and _BEFORE in material:
        name, socket = str(material[_BEFORE]).split("\n")
        before = tree.nodes.get(name)
        if before is not None and socket in before.outputs:
            tree.links.new(before.outputs[socket], _shader(material).inputs["Normal"])
    if _BEFORE in material:
        del material[_BEFORE]


def _set_method(material: Any, method: str) -> None:
    if bpy.app.version >= (4, 1):  # from then on for EEVEE as well
        material.displacement_method = method
    else:
        material.cycles.displacement_method = method


def _shader(material: Any) -> Any:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
