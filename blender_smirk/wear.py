# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, beard and glasses on a head: objects of their own that follow its bones and shape keys, in every file format.

Each vertex holds on to one place of the skin (:class:`smirk_core.groom.wear.Wear`), so its shape keys and joint weights
are copied from there; only keys that move it are made, each driven by the head's key. What is worn is noted on the
object and is put on anew when the face changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.groom.beard import BEARDS, beard, beard_cut
from smirk_core.groom.glasses import GLASSES, Glasses, glasses, glasses_on
from smirk_core.groom.hair import HAIR, hair, hair_cut
from smirk_core.groom.hair_pictures import cap_picture, strand_picture
from smirk_core.groom.tufts import HAIR_COLOURS
from smirk_core.groom.wear import Wear
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel

from .drivers import drive, key_value
from .hair_materials import card_material, wear_picture
from .identity import identity_of
from .mesh_data import add_weights, new_mesh
from .nodes import Nodes, linear
from .rig import HeadObjects, model_of
from .shape_keys import add_key, from_blender

__all__ = [
    "KINDS",
    "STYLES",
    "WEAR_PROPERTY",
    "Kind",
    "Worn",
    "put_on",
    "recolour",
    "refit",
    "take_off",
    "worn",
    "worn_objects",
]

Floats = npt.NDArray[np.floating[Any]]
Kind = Literal["hair", "beard", "glasses"]
PART_PROPERTY = "smirk_wear_part"  # custom property of a material: which part of what is worn it is for
_CARDS_BEHIND = 32
KINDS: tuple[Kind, ...] = ("hair", "beard", "glasses")
STYLES: dict[Kind, tuple[str, ...]] = {"hair": tuple(HAIR), "beard": tuple(BEARDS), "glasses": tuple(GLASSES)}
WEAR_PROPERTY = "smirk_wear"  # custom property of an object: a Worn as JSON
_MOVES = 2e-4  # metres: keys that move nothing further are not copied


@dataclass(frozen=True)
class Worn:
    """What an object is: its ``kind``, the ``style`` by name, sRGB ``colour`` of hair and the share of ``grey``."""

    kind: Kind
    style: str
    colour: tuple[float, float, float] = HAIR_COLOURS["dark brown"]
    grey: float = 0.0


def worn_objects(head: HeadObjects) -> list[bpy.types.Object]:
    """The objects that a head wears."""
    return [o for o in head.armature.children if o.type == "MESH" and WEAR_PROPERTY in o]


def worn(head: HeadObjects, kind: Kind) -> Worn | None:
    """What of a kind a head wears."""
    for obj in worn_objects(head):
        note = _note(obj)
        if note.kind == kind:
            return note
    return None


def _note(obj: Any) -> Worn:
    values = json.loads(str(obj[WEAR_PROPERTY]))
    return Worn(**values | {"colour": tuple(values["colour"])})


def put_on(head: HeadObjects, what: Worn, model: HeadModel | None = None) -> bpy.types.Object:
    """Let a head wear something; what it wore of that kind goes.

    Raises:
        AssetError: there is no such style, or the head lacks the regions it needs.
    """
    model = model_of(head) if model is None else model
    basis = _points(head.keys.key_blocks[0])
    if what.kind == "glasses":
        identity = identity_of(head, model)[None]
        shape = np.asarray(decode(model, {"identity": identity}).vertices[0], dtype=np.float64)
        wear = glasses_on(model, shape, glasses(what.style))
        points = wear.points
    else:
        wear = hair_cut(model, hair(what.style)) if what.kind == "hair" else beard_cut(model, beard(what.style))
        points = wear.on(model, basis)
    take_off(head, what.kind)
    obj = bpy.data.objects.new(f"{head.mesh.name} {what.kind}", _mesh(f"{head.mesh.name} {what.kind}", wear, points))
    for collection in head.mesh.users_collection:
        collection.objects.link(obj)
    obj[WEAR_PROPERTY] = json.dumps(asdict(what))
    for material in _materials(obj.name, wear, what):
        obj.data.materials.append(material)
    _follow_joints(obj, head, model, wear)
    if what.kind != "glasses":
        _follow_keys(obj, head, wear, basis, points)
        _see_through_cards(bpy.context.scene)
    return obj


def _see_through_cards(scene: Any) -> None:
    """Cycles looks through eight transparent surfaces and then sees black; hair has more cards behind each other."""
    cycles = getattr(scene, "cycles", None)
    if cycles is not None and cycles.transparent_max_bounces < _CARDS_BEHIND:
        cycles.transparent_max_bounces = _CARDS_BEHIND


def take_off(head: HeadObjects, kind: Kind) -> bool:
    """Take off what a head wears of a kind; whether there was any."""
    found = [o for o in worn_objects(head) if _note(o).kind == kind]
    for obj in found:
        data: Any = obj.data
        materials = [m for m in data.materials if m is not None]
        bpy.data.objects.remove(obj)
        if data.users == 0:
            bpy.data.meshes.remove(data)
        _remove_unused(materials)
    return bool(found)


def refit(head: HeadObjects, model: HeadModel | None = None) -> None:
    """Put everything on anew, after the face has changed."""
    for obj in worn_objects(head):
        put_on(head, _note(obj), model)


def recolour(head: HeadObjects, colour: tuple[float, float, float], grey: float) -> None:
    """Give hair and beard another colour."""
    for obj in worn_objects(head):
        what = replace(_note(obj), colour=colour, grey=grey)
        if what.kind == "glasses" or what == _note(obj):
            continue
        for material in [m for m in obj.data.materials if m is not None]:
            wear_picture(material, _picture(str(material[PART_PROPERTY]), what), colour)
        obj[WEAR_PROPERTY] = json.dumps(asdict(what))


def _remove_unused(materials: Iterable[Any]) -> None:
    for material in materials:
        images = [n.image for n in material.node_tree.nodes if n.type == "TEX_IMAGE" and n.image is not None]
        if material.users == 0:
            bpy.data.materials.remove(material)
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


def _points(key: bpy.types.ShapeKey) -> Floats:
    points = np.empty(3 * len(key.data), dtype=np.float32)
    key.data.foreach_get("co", points)
    return from_blender(points.reshape(-1, 3).astype(np.float64))


def _mesh(name: str, wear: Wear, points: Floats) -> bpy.types.Mesh:
    _, index = np.unique(wear.materials, return_inverse=True)
    return new_mesh(name, points, wear.polygons, index, wear.uvs[wear.polygons])


def _picture(part: str, what: Worn) -> npt.NDArray[np.uint8]:
    if part == "strands":
        return strand_picture(what.colour, what.grey)
    cover = 0.45 if part == "stubble" else 0.8 if what.style == "buzz" else 1.0
    return cap_picture(what.colour, what.grey, cover=cover)


def _materials(name: str, wear: Wear, what: Worn) -> list[Any]:
    made = []
    for part in np.unique(wear.materials).tolist():
        title = f"{name} {part}"
        if part == "frame":
            material = _frame(title, glasses(what.style))
        elif part == "lens":
            material = _lens(title, glasses(what.style))
        else:
            material = card_material(title, _picture(part, what), what.colour)
        material[PART_PROPERTY] = part
        made.append(material)
    return made


def _frame(name: str, style: Glasses) -> Any:
    material = _plain(name)
    nodes = Nodes(material)
    nodes.plain(style.colour, roughness=0.25, specular=0.5)
    nodes.set("Metallic", 1.0 if style.metal else 0.0)
    return material


def _lens(name: str, style: Glasses) -> Any:
    """Glass without refraction: a thin lens hardly bends light, and alpha works everywhere."""
    material = _plain(name)
    nodes = Nodes(material)
    # A clear lens has no colour of its own, or it would lie over the eyes like a veil: only its mirror image shows.
    own = tuple(c * style.dark for c in style.tint)
    nodes.plain((own[0], own[1], own[2]), roughness=0.02, specular=0.5)
    nodes.set("Alpha", max(0.04, style.dark))
    r, g, b, _ = linear(style.tint)
    material.diffuse_color = (r, g, b, max(0.06, style.dark))
    if bpy.app.version < (4, 2):
        material.blend_method = "BLEND"
        material.shadow_method = "NONE"
    else:
        material.surface_render_method = "BLENDED"
    return material


def _plain(name: str) -> Any:
    material: Any = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on it is there from the start
        material.use_nodes = True
    return material


def _follow_joints(obj: Any, head: HeadObjects, model: HeadModel, wear: Wear) -> None:
    obj.parent = head.armature
    weights = np.round(wear.carried(model.skinning_weights.astype(np.float64)), 3)
    add_weights(obj, model.joint_names, weights, empty=False)
    deform = obj.modifiers.new("Armature", "ARMATURE")
    deform.object = head.armature
    deform.use_deform_preserve_volume = False  # as the head itself


def _follow_keys(obj: Any, head: HeadObjects, wear: Wear, basis: Floats, points: Floats) -> None:
    obj.shape_key_add(name="Basis", from_mix=False)
    used, local = np.unique(wear.corners, return_inverse=True)
    thin = replace(wear, corners=local.reshape(wear.corners.shape))
    for key in head.keys.key_blocks[1:]:
        moved = (_points(key) - basis)[used]
        if np.abs(moved).max() < _MOVES:
            continue
        copy = add_key(obj, key.name, points + thin.carried(moved), key.slider_min, key.slider_max)
        copy.value = key.value
        drive(copy, "value", -1, "a", {"a": (head.keys, key_value(key.name))})
    obj.data.shape_keys.name = obj.name
    obj.active_shape_key_index = 0
