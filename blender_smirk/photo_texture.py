# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of the footage on the head: projected from the present frame, packed into the .blend, and off again."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from smirk_core.errors import MediaError, TakeError
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.rendering.photo_texture import PhotoTexture, project_photo
from smirk_core.take import Take
from smirk_core.tracking.media import Frame, Media, open_media

from .footage import load_footage
from .look import COLOURS, colour_of, has_look, set_colour
from .materials import PART_PROPERTY
from .nodes import linear
from .refine import take_time
from .rig import HeadObjects, model_of
from .take_store import take_of

__all__ = ["add_photo_texture", "has_photo_texture", "picture_at", "remove_photo_texture"]

_NODE, _UV = "Smirk photo", "Smirk photo UV"
_BEFORE = "smirk_before_photo"  # custom property of a material: the node that coloured it before
_COLOURS = "smirk_colours_before_photo"  # custom property of the mesh: its look before
_SKIN = ("skin", "lips")


def has_photo_texture(mesh: bpy.types.Object) -> bool:
    """Whether the head wears a photo."""
    return any(m.node_tree.nodes.get(_NODE) is not None for m in _materials(mesh))


def add_photo_texture(
    head: HeadObjects,
    take: bpy.types.Action | Take,
    *,
    frame: float | None = None,
    size: int = 1024,
    mirror: bool = True,
    model: HeadModel | None = None,
) -> bpy.types.Image:
    """Project the footage's skin onto a head and use it as its colour.

    Args:
        head: the head.
        take: the take whose footage is used, as its action or itself.
        frame: scene frame (of an action) or number of the row (of a take); the present frame or the first if not given.
        size: pixels of the square texture.
        mirror: fill the hidden half from the other one.
        model: the head's model; found by what the head remembers where not given.

    Returns:
        The image, packed.

    Raises:
        MediaError: the footage is not there any more.
        TakeError: the take does not say where the head is, or the face is not seen in the frame.
    """
    model = model_of(head) if model is None else model
    performance = take if isinstance(take, Take) else take_of(take)
    if isinstance(take, Take):
        row = round(frame or 0)
    else:
        scene = bpy.context.scene
        at = scene.frame_current_final if frame is None else frame
        row = int(np.abs(np.asarray(performance.times) - take_time(take, at)).argmin())
    if "camera" not in performance.raw:
        raise TakeError("The take does not say where in the picture the head is, so no skin can be taken from it.")
    picture = picture_at(performance, row)
    groups: dict[str, Any] = {
        k: np.asarray(v[row])[None] for k, v in performance.parameters(raw=True).items() if len(v)
    }
    vertices = decode(model, groups).vertices[0]
    texture = project_photo(model, vertices, performance.raw["camera"][row], picture, size=size, mirror=mirror)
    remove_photo_texture(head)
    return _wear(head, texture)


def picture_at(take: Take, row: int) -> np.ndarray:
    """(H, W, 3) uint8: the frame of the footage on which a row of a take was made.

    Raises:
        MediaError: the footage is not there any more or cannot be read.
    """
    if not take.info.source:
        raise MediaError("The take has no footage, so no skin can be taken from it.")
    path = bpy.path.abspath(take.info.source)
    if take.info.kind == "photo":
        return _photo(take)
    rate = take.info.rate if take.info.rate > 0 else 25.0
    try:
        media = open_media(path, sequence=take.info.kind == "sequence", rate=rate)
    except ImportError as error:  # the slim add-on: films are read by the worker alone
        raise MediaError("This add-on comes without a reader of films: take the skin from a photo.") from error
    wanted = float(take.times[row])
    # A little earlier and then by time stamp: rates vary, and the first frame's time need not be 0.
    begin = max(0, int(wanted * rate * 0.98) - 12) if media.info.kind == "video" else 0
    if media.info.kind == "sequence":
        begin = max(0, round(wanted * rate) - 1)
    best = _nearest(media, wanted, begin)
    if begin > 0 and (best is None or best.time > wanted + 1 / rate):  # an uneven rate: count from the start after all
        best = _nearest(media, wanted, 0)
    if best is None:
        raise MediaError(f"No frame of {path} can be decoded.")
    return best.image


def _nearest(media: Media, wanted: float, begin: int) -> Frame | None:
    best = None
    for frame in media.frames(begin):
        if best is not None and abs(frame.time - wanted) > abs(best.time - wanted):
            break
        best = frame
    return best


def _photo(take: Take) -> np.ndarray:
    """(H, W, 3) uint8 of a photo, upright, read by Blender itself."""
    before = set(bpy.data.images)
    footage = load_footage(take.info)
    if footage is None or footage.image is None:
        raise MediaError(f"The photo {take.info.source} is not there any more, or Blender cannot read it.")
    image = footage.image
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    colours = pixels.reshape(height, width, -1)[::-1]
    colours = colours[..., :3] if colours.shape[2] >= 3 else np.repeat(colours[..., :1], 3, axis=2)
    if image not in before:
        bpy.data.images.remove(image)
    return np.ascontiguousarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))


def remove_photo_texture(head: HeadObjects) -> None:
    """Give the head the skin back that it had before; nothing where it wears no photo."""
    mesh, images = head.mesh, []
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


def _wear(head: HeadObjects, texture: PhotoTexture) -> bpy.types.Image:
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
    return image


def _materials(mesh: bpy.types.Object) -> list[Any]:
    """The materials of a head that show skin, of this file."""
    found = dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None)
    return [m for m in found if m.library is None and m.node_tree is not None and m.get(PART_PROPERTY) in _SKIN]


def _shader(material: Any) -> Any:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
