# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo's skin on the materials of a head: worn as a packed image that can be painted on, and taken off again."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from smirk_core.rendering.photo_texture import PhotoTexture

from .look import COLOURS, colour_of, has_look, set_colour
from .materials import PART_PROPERTY
from .nodes import linear
from .rig import HeadObjects

__all__ = ["brows_hidden", "has_photo_texture", "hide_brows", "remove_photo_texture", "wear"]

_NODE, _UV = "Smirk photo", "Smirk photo UV"
_BEFORE = "smirk_before_photo"  # custom property of a material: the node that coloured it before
_COLOURS = "smirk_colours_before_photo"  # custom property of the mesh: its look before
_ALPHA = "smirk_alpha_before_photo"  # custom property of a brow material: node and socket, or the plain value
_SKIN, _BROW = ("skin", "lips"), ("brow",)


def has_photo_texture(mesh: bpy.types.Object) -> bool:
    """Whether the head wears a photo."""
    return any(m.node_tree.nodes.get(_NODE) is not None for m in _materials(mesh))


def wear(head: HeadObjects, texture: PhotoTexture, *, brows: bool) -> bpy.types.Image:
    """Put a texture on the skin in place of one that is worn already, and return its packed image.

    Args:
        head: the head.
        texture: from :func:`smirk_core.rendering.photo_texture.blend_photos`.
        brows: the texture shows brows, so the head's own are hidden until it is taken off.
    """
    remove_photo_texture(head)
    mesh = head.mesh
    size = len(texture.image)
    image = bpy.data.images.new(f"{mesh.name} skin", size, size, alpha=False)
    pixels = np.ones((size, size, 4), np.float32)
    pixels[..., :3] = texture.image[::-1] / 255.0  # Blender counts rows from below; an 8 bit image is sRGB
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    if has_look(mesh):  # lips, stubble and exports fall back to the tone of the photo's skin
        mesh[_COLOURS] = " ".join(repr(c) for name in COLOURS for c in colour_of(mesh, name))
        set_colour(mesh, "Skin tone", linear(tuple(texture.tone.tolist()))[:3])  # pyright: ignore[reportArgumentType]
    layer = mesh.data.uv_layers[0].name if len(mesh.data.uv_layers) else ""
    for material in _materials(mesh):
        tree = material.node_tree
        socket = _shader(material).inputs["Base Color"]
        if socket.is_linked:
            material[_BEFORE] = socket.links[0].from_node.name
        place = tree.nodes.new("ShaderNodeUVMap")
        place.name = place.label = _UV
        place.uv_map = layer
        node = tree.nodes.new("ShaderNodeTexImage")
        node.name = node.label = _NODE
        node.image = image
        place.location, node.location = (-620, 560), (-420, 560)
        tree.links.new(place.outputs["UV"], node.inputs["Vector"])
        tree.links.new(node.outputs["Color"], socket)
        tree.nodes.active = node  # what Texture Paint paints on
    if brows:
        hide_brows(mesh)
    return image


def remove_photo_texture(head: HeadObjects) -> None:
    """Give the head the skin and the brows back that it had before; nothing where it wears no photo."""
    mesh, images = head.mesh, []
    hide_brows(mesh, hidden=False)
    for material in _materials(mesh):
        tree = material.node_tree
        for name in (_NODE, _UV):
            node = tree.nodes.get(name)
            if node is not None:
                images += [node.image] if name == _NODE and node.image is not None else []
                tree.nodes.remove(node)
        before = tree.nodes.get(material.get(_BEFORE, ""))
        if before is not None:
            socket = next((s for s in before.outputs if s.type == "RGBA" and s.enabled), before.outputs[0])
            tree.links.new(socket, _shader(material).inputs["Base Color"])
        if _BEFORE in material:
            del material[_BEFORE]
    if _COLOURS in mesh:
        stored = np.array(str(mesh[_COLOURS]).split(), float).reshape(-1, 3)
        for name, colour in zip(COLOURS, stored.tolist(), strict=False):
            set_colour(mesh, name, tuple(colour))
        del mesh[_COLOURS]
    for image in set(images):
        if image.users == 0:
            bpy.data.images.remove(image)


def brows_hidden(mesh: bpy.types.Object) -> bool:
    """Whether the head's own brows are hidden, because a photo's are on its skin."""
    return any(_ALPHA in m for m in _materials(mesh, _BROW))


def hide_brows(mesh: bpy.types.Object, *, hidden: bool = True) -> None:
    """Make the head's brows see-through, or show them again."""
    for material in _materials(mesh, _BROW):
        alpha, tree = _shader(material).inputs["Alpha"], material.node_tree
        if hidden and _ALPHA not in material:
            if alpha.is_linked:
                link = alpha.links[0]
                material[_ALPHA] = f"{link.from_node.name}\n{link.from_socket.name}"
                tree.links.remove(link)
            else:
                material[_ALPHA] = repr(alpha.default_value)
                if hasattr(material, "blend_method"):  # EEVEE before 4.2 shows alpha only where it is told
                    material.blend_method = "HASHED"
            alpha.default_value = 0.0
        elif not hidden and _ALPHA in material:
            before = str(material[_ALPHA]).split("\n")
            alpha.default_value = 1.0 if len(before) == 2 else float(before[0])
            node = tree.nodes.get(before[0]) if len(before) == 2 else None
            if node is not None:
                tree.links.new(node.outputs[before[1]], alpha)
            del material[_ALPHA]


def _materials(mesh: bpy.types.Object, parts: tuple[str, ...] = _SKIN) -> list[Any]:
    """The materials of a head that show skin, or another part, of this file."""
    found = dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None)
    mine = [m for m in found if m.library is None and m.node_tree is not None and m.get(PART_PROPERTY) in parts]
    return [m for m in mine if any(n.type == "BSDF_PRINCIPLED" for n in m.node_tree.nodes)]


def _shader(material: Any) -> Any:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
