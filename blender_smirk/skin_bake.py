# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's skin as packed images, painted by :mod:`smirk_core.skin`: what exporters carry and painters paint on.

The images stand in for the skin's nodes, which stay where they are: taking the images off brings them back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import AssetError
from smirk_core.heads.head_model import HeadModel
from smirk_core.skin.look import SkinLook
from smirk_core.skin.maps import SkinMaps, mean_colour, skin_maps
from smirk_core.skin.pigments import encode

from .look import colour_of
from .rig import HeadObjects, model_of
from .skin_look import skin_materials, skin_of

__all__ = ["BakedSkin", "bake_skin", "has_baked_skin", "remove_baked_skin"]

_PREFIX = "Smirk skin "
_COLOUR, _ROUGH, _SPECULAR, _NORMAL, _MAP, _UV = (
    _PREFIX + n for n in ("colour", "roughness", "specular", "normal", "normal map", "UV")
)
_WRINKLES = "Smirk wrinkles bump"  # a bump node that comes after the skin's own relief
_BEFORE = "smirk_before_bake"  # custom property of a material: which nodes fed the sockets before


@dataclass(frozen=True)
class BakedSkin:
    """The packed images of one head's skin."""

    colour: Any
    roughness: Any
    specular: Any
    normal: Any


def has_baked_skin(mesh: bpy.types.Object) -> bool:
    """Whether the head wears images of :func:`bake_skin`."""
    return any(m.node_tree.nodes.get(_ROUGH) is not None for m in skin_materials(mesh))


def bake_skin(
    head: HeadObjects, size: int = 1024, look: SkinLook | None = None, seed: int = 0, *, model: HeadModel | None = None
) -> BakedSkin:
    """Paint the skin of a head into packed images and put them on, in place of those from before.

    Args:
        head: one that was built here.
        size: pixels of the square images, 64 to 8192.
        look: the skin; by default the one that the head has, colours chosen by hand included.
        seed: another number gives other freckles, moles and blotches.
        model: the head's model where it is at hand; else it is loaded.

    Raises:
        AssetError: the head has no skin of ours, or no UVs or eyes, or the size is out of bounds.
    """
    mesh = head.mesh
    materials = skin_materials(mesh)
    if not materials:
        raise AssetError("The materials of this head are not those it was built with, so there is no skin to bake.")
    own = look is None
    look = skin_of(mesh) if look is None else look
    maps = skin_maps(model_of(head) if model is None else model, look, size, seed)
    remove_baked_skin(mesh)
    images = _images(mesh.name, maps, _tint(mesh, look) if own else np.ones(3))
    layer = mesh.data.uv_layers[0].name if len(mesh.data.uv_layers) else ""
    for material in materials:
        _wear(material, images, layer)
    return images


def remove_baked_skin(mesh: bpy.types.Object) -> None:
    """Give the skin its nodes back; nothing where no images are worn."""
    images = []
    for material in skin_materials(mesh):
        tree, shader = material.node_tree, _shader(material)
        targets = _sockets(material)
        for name in (_COLOUR, _ROUGH, _SPECULAR, _NORMAL, _MAP, _UV):
            node = tree.nodes.get(name)
            if node is not None:
                images += [node.image] if node.type == "TEX_IMAGE" and node.image is not None else []
                tree.nodes.remove(node)
        for line in str(material.get(_BEFORE, "")).splitlines():
            key, node, socket = line.split("\t")
            before = tree.nodes.get(node)
            source = None if before is None else next((s for s in before.outputs if s.identifier == socket), None)
            if source is not None and key in targets and not targets[key].is_linked:
                tree.links.new(source, targets[key])
        if _BEFORE in material:
            del material[_BEFORE]
            shader.inputs[_specular_name()].default_value = 0.36
    for image in set(images):
        if image.users == 0:
            bpy.data.images.remove(image)


def _tint(mesh: bpy.types.Object, look: SkinLook) -> npt.NDArray[np.floating[Any]]:
    """(3,) what the colour chosen by hand is of the colour that the look's pigments give, linear."""
    tone, _ = mean_colour(look)
    return np.array(colour_of(mesh, "Skin tone")) / np.maximum(tone, 1e-3)


def _images(name: str, maps: SkinMaps, tint: npt.NDArray[np.floating[Any]]) -> BakedSkin:
    albedo = maps.albedo
    if np.abs(np.log(np.maximum(tint, 1e-3))).max() > 0.01:
        levels = np.arange(256) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        tables = np.rint(255 * encode(linear[:, None] * tint)).astype(np.uint8)
        albedo = np.stack([tables[maps.albedo[..., k], k] for k in range(3)], axis=-1)

    def grey(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.repeat(picture[..., None], 3, axis=2)

    return BakedSkin(
        _packed(f"{name} skin colour", albedo, colour=True),
        _packed(f"{name} skin roughness", grey(maps.roughness)),
        _packed(f"{name} skin specular", grey(maps.specular)),
        _packed(f"{name} skin normal", maps.normal),
    )


def _packed(name: str, picture: npt.NDArray[np.uint8], *, colour: bool = False) -> Any:
    """A packed image of an (S, S, 3) picture, top row first."""
    size = len(picture)
    image: Any = bpy.data.images.new(name, size, size, alpha=False)
    if not colour:
        image.colorspace_settings.name = "Non-Color"
    pixels = np.ones((size, size, 4), np.float32)
    np.divide(picture[::-1], np.float32(255), out=pixels[..., :3])
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image


def _wear(material: Any, images: BakedSkin, layer: str) -> None:
    tree = material.node_tree
    place = tree.nodes.new("ShaderNodeUVMap")
    place.name = place.label = _UV
    place.uv_map, place.location = layer, (-900, 900)
    targets = _sockets(material)
    before = []
    for row, (key, name, image) in enumerate((
        ("colour", _COLOUR, images.colour), ("roughness", _ROUGH, images.roughness),
        ("specular", _SPECULAR, images.specular), ("normal", _NORMAL, images.normal),
    )):  # fmt: skip
        target = targets[key]
        if key == "colour" and _shows_photo(material):
            continue  # a photo's colours are what is wanted; the rest is the skin's
        node = tree.nodes.new("ShaderNodeTexImage")
        node.name = node.label = name
        node.image, node.location = image, (-700, 900 - 280 * row)
        tree.links.new(place.outputs["UV"], node.inputs["Vector"])
        if target.is_linked:
            link = target.links[0]
            before.append(f"{key}\t{link.from_node.name}\t{link.from_socket.identifier}")
        source = node.outputs["Color"]
        if key == "normal":
            turned = tree.nodes.new("ShaderNodeNormalMap")
            turned.name = turned.label = _MAP
            turned.uv_map, turned.location = layer, (-420, 60)
            tree.links.new(source, turned.inputs["Color"])
            source = turned.outputs["Normal"]
        tree.links.new(source, target)
        if key == "colour":
            tree.nodes.active = node  # what Texture Paint paints on
    material[_BEFORE] = "\n".join(before)


def _shows_photo(material: Any) -> bool:
    return material.node_tree.nodes.get("Smirk photo") is not None


def _sockets(material: Any) -> dict[str, Any]:
    shader = _shader(material)
    wrinkles = material.node_tree.nodes.get(_WRINKLES)
    return {
        "colour": shader.inputs["Base Color"],
        "roughness": shader.inputs["Roughness"],
        "specular": shader.inputs[_specular_name()],
        "normal": (wrinkles if wrinkles is not None else shader).inputs["Normal"],
    }


def _specular_name() -> str:
    return "Specular" if bpy.app.version < (4, 0) else "Specular IOR Level"


def _shader(material: Any) -> Any:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
