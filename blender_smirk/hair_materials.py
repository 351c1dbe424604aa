# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of hair on cards: a packed picture with alpha, which EEVEE, Cycles and every exporter can carry.

The plain colour below the picture is what solid view and exporters without textures show.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.groom.tufts import BROWS, LASHES, TuftLook, brow_picture, lash_picture

from .nodes import Nodes

__all__ = ["HAIR_BUILDERS", "card_material", "has_tufts", "set_tufts", "tufts_of", "wear_picture"]

Pixels = npt.NDArray[np.uint8]
_NODE = "Hairs"
_LOOK = "smirk_tufts"  # custom property of a material: its TuftLook as JSON
_PAINTERS: dict[str, Callable[[TuftLook], Pixels]] = {"brow": brow_picture, "lash": lash_picture}
_PRESETS = {"brow": BROWS, "lash": LASHES}


def _image(name: str, picture: Pixels) -> bpy.types.Image:
    """A packed image of a (H, W, 4) sRGB picture, top row first."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True)
    _fill(image, picture)
    return image


def _fill(image: Any, picture: Pixels) -> None:
    height, width = picture.shape[:2]
    if tuple(image.size) != (width, height):
        image.scale(width, height)
    image.alpha_mode = "STRAIGHT"
    image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255).ravel())
    image.update()
    image.pack()


def _see_through(material: Any) -> None:
    """Alpha that needs no sorting."""
    if bpy.app.version < (4, 2):
        material.blend_method = material.shadow_method = "HASHED"
    else:
        material.surface_render_method = "DITHERED"
    material.use_backface_culling = False


def wear_picture(material: Any, picture: Pixels, colour: tuple[float, float, float]) -> None:
    """Draw a (H, W, 4) picture onto a material's cards; ``colour`` (sRGB) is the plain one beneath."""
    nodes = Nodes(material)
    nodes.colour(colour)
    tree = material.node_tree
    node = tree.nodes.get(_NODE)
    if node is None:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.name = node.label = _NODE
        node.location = (-350, 250)
        nodes.connect(node.outputs["Color"], "Base Color")
        nodes.connect(node.outputs["Alpha"], "Alpha")
    old = node.image
    if old is not None and old.users > 1:  # a copy of the head still shows the old picture
        old = None
    if old is None:
        node.image = _image(material.name, picture)
    else:
        _fill(old, picture)


def card_material(name: str, picture: Pixels, colour: tuple[float, float, float], roughness: float = 0.62) -> Any:
    """A new material of hair cards."""
    material: Any = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on it is there from the start
        material.use_nodes = True
    Nodes(material).plain(colour, roughness=roughness, specular=0.1)  # flat strips would mirror like metal
    _see_through(material)
    wear_picture(material, picture, colour)
    return material


def _tufts(part: str) -> Callable[[Nodes], None]:
    def build(nodes: Nodes) -> None:
        look = _PRESETS[part]["natural"]
        nodes.plain(look.colour, roughness=0.5, specular=0.2)
        _see_through(nodes.material)
        _draw(nodes.material, part, look)

    return build


def _draw(material: Any, part: str, look: TuftLook) -> None:
    wear_picture(material, _PAINTERS[part](look), look.colour)
    material[_LOOK] = json.dumps(asdict(look))


HAIR_BUILDERS: dict[str, Callable[[Nodes], None]] = {"lash": _tufts("lash"), "brow": _tufts("brow")}


def has_tufts(mesh: bpy.types.Object, part: str) -> bool:
    """Whether the head's ``brow`` or ``lash`` look can be chosen here."""
    return any(m.get("smirk_part") == part for m in _materials(mesh))


def tufts_of(mesh: bpy.types.Object, part: str) -> TuftLook:
    """How the head's brows (``brow``) or lashes (``lash``) look."""
    for material in _materials(mesh):
        if material.get("smirk_part") == part:
            values = json.loads(str(material[_LOOK]))
            return TuftLook(**values | {"colour": tuple(values["colour"])})
    return _PRESETS[part]["natural"]


def set_tufts(mesh: bpy.types.Object, part: str, look: TuftLook) -> None:
    """Give a head other brows or lashes."""
    for material in _materials(mesh):
        if material.get("smirk_part") == part:
            _draw(material, part, look)


def _materials(mesh: bpy.types.Object) -> list[Any]:
    """Materials of a head with pictures of tufts that may be changed."""
    own = dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None)
    return [m for m in own if _LOOK in m and m.library is None]
