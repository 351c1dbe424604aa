# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles on a head: they follow the expression by drivers and shader nodes alone, and can be those of a person.

What can be turned are custom properties of the mesh object, so that it works without the add-on as well:
:data:`ON`, :data:`STRENGTH`, :data:`AGE`, :data:`PERSON_STRENGTH` and :data:`SHARES`, one share for each group.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.detail.activation import ADULT, OLD_GAIN, REST_FROM, YOUNG_GAIN
from smirk_core.detail.atlas import wrinkle_atlas
from smirk_core.detail.groups import GROUP_NAMES, GROUPS, Group
from smirk_core.detail.person import PersonDetail, load_person_detail
from smirk_core.errors import AssetError, TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take

from .drivers import VARIABLES, drive, key_value
from .posing import has_arkit_keys
from .rig import HeadObjects, model_of
from .take_store import take_of
from .wrinkle_nodes import (
    SHADER_PROPERTY,
    connect,
    disconnect,
    is_connected,
    packed_image,
    person_pixels,
    skin_materials,
    wrinkle_group,
)

__all__ = [
    "AGE",
    "ON",
    "PERSON_STRENGTH",
    "SHARES",
    "STRENGTH",
    "add_wrinkles",
    "bake_wrinkles",
    "has_person_detail",
    "has_wrinkles",
    "person_from_take",
    "remove_person_detail",
    "remove_wrinkles",
    "set_wrinkles",
    "wear_person_detail",
    "wrinkle_strengths",
]

Floats = npt.NDArray[np.floating[Any]]
ON, STRENGTH, AGE = "smirk_wrinkle_on", "smirk_wrinkle_strength", "smirk_wrinkle_age"
PERSON_STRENGTH, PERSON = "smirk_person_strength", "smirk_person_scale"
SHARES = "smirk_wrinkle_shares"  # (G,) how strongly a person wrinkles, 1 is usual
_MAPS = "smirk_wrinkle_maps"  # texels of a side of the UV square
_MODIFIER = "Smirk wrinkles"
_SLIDERS: dict[str, tuple[float, float, float]] = {  # value, slider's end, hard end
    STRENGTH: (1.0, 1.5, 4.0),
    AGE: (ADULT, 1.0, 1.0),
    PERSON_STRENGTH: (1.0, 2.0, 4.0),
}


def has_wrinkles(mesh: bpy.types.Object) -> bool:
    """Whether a head has wrinkles that follow its expression."""
    return STRENGTH in mesh and is_connected(mesh)


def has_person_detail(mesh: bpy.types.Object) -> bool:
    """Whether a head wears the relief of a person."""
    return has_wrinkles(mesh) and PERSON_STRENGTH in mesh


def add_wrinkles(
    head: HeadObjects,
    *,
    strength: float | None = None,
    age: float | None = None,
    displacement: bool = False,
    size: int = 2048,
    person: PersonDetail | str | os.PathLike[str] | None = None,
    model: HeadModel | None = None,
) -> None:
    """Let a head wrinkle with its expression; what it had of wrinkles before is replaced, its sliders stay.

    Args:
        head: the head, with ARKit's expression names.
        strength: of all wrinkles, 0 none; 1 or what it was where not given.
        age: 0 child, 0.5 grown-up, 1 old; a grown-up or what it was where not given.
        displacement: move the surface in Cycles instead of its normals; adds a subdivision for rendering.
        size: texels to a side of the UV square; the maps are a window of it.
        person: detail of a person to wear, or its file.
        model: the head's model; found by what the head remembers where not given.

    Raises:
        TakeError: the expressions have no ARKit names.
        AssetError: the head has no UVs or landmarks, or the person's file is damaged or of another head.
    """
    model = model_of(head) if model is None else model
    if not has_arkit_keys(head):
        raise TakeError(
            f"The expressions of the head '{model.name}' have no ARKit names, so nothing says when it folds."
        )
    detail = (
        person
        if person is None or isinstance(person, PersonDetail)
        else load_person_detail(bpy.path.abspath(os.fspath(person)))
    )
    if detail is not None:
        _check_fit(detail, model)
    atlas = wrinkle_atlas(model, size)  # before anything is changed
    mesh: Any = head.mesh
    kept = {name: mesh[name] for name in (*_SLIDERS, ON) if name in mesh}
    _take_off(head)
    mesh[_MAPS] = size
    _sliders(mesh, kept)
    if detail is not None:
        _sliders(mesh, {PERSON_STRENGTH: kept.get(PERSON_STRENGTH, 1.0)}, (PERSON_STRENGTH,))
    shares = np.ones(len(GROUPS)) if detail is None else detail.shares
    mesh[SHARES] = [float(share) for share in shares]
    for number in range(-(-len(GROUPS) // 4)):
        mesh[f"{SHADER_PROPERTY}{number}"] = [0.0] * 4
    _add_drivers(head, detail is not None)
    images = (packed_image(f"{mesh.name} wrinkles", atlas.heights), packed_image(f"{mesh.name} folds", atlas.owners))
    own = None
    if detail is not None:
        own = (packed_image(f"{mesh.name} relief", person_pixels(detail)), detail)
    layer = mesh.data.uv_layers[0].name
    group = wrinkle_group(f"{mesh.name} wrinkles", layer, atlas, images, own, PERSON)
    for material in skin_materials(mesh):
        connect(material, group, displacement)
    if displacement:
        there = sum(m.render_levels for m in mesh.modifiers if m.type == "SUBSURF")  # what smooths the head already
        finer: Any = mesh.modifiers.new(_MODIFIER, "SUBSURF")
        finer.levels, finer.render_levels = 0, max(0, 3 - there)
    set_wrinkles(head, strength=strength, age=age)


def set_wrinkles(
    head: HeadObjects,
    *,
    on: bool | None = None,
    strength: float | None = None,
    age: float | None = None,
    person: float | None = None,
) -> None:
    """Turn what can be turned; what is not given stays.

    Args:
        head: a head with wrinkles.
        on: whether there are any.
        strength: of all of them.
        age: 0 child, 0.5 grown-up, 1 old.
        person: strength of the person's own relief.

    Raises:
        TakeError: the head has no wrinkles.
    """
    mesh = head.mesh
    if STRENGTH not in mesh:
        raise TakeError(f"'{mesh.name}' has no wrinkles: add them first.")
    for name, value in ((STRENGTH, strength), (AGE, age), (PERSON_STRENGTH, person)):
        if value is not None and name in mesh:
            mesh[name] = float(value)
    if on is not None:
        mesh[ON] = bool(on)
    mesh.update_tag()


def remove_wrinkles(head: HeadObjects) -> None:
    """Give the head its smooth skin back; nothing where it has no wrinkles."""
    _take_off(head)
    for name in (*_SLIDERS, ON, SHARES, PERSON, _MAPS, *_shader_properties(head.mesh)):
        if name in head.mesh:
            del head.mesh[name]


def wear_person_detail(
    head: HeadObjects, person: PersonDetail | str | os.PathLike[str], model: HeadModel | None = None
) -> None:
    """Give a head a person's own relief, and wrinkles as strong as that person's; it keeps them in every expression.

    Args:
        head: the head.
        person: the detail, or its file.
        model: the head's model; found by what the head remembers where not given.

    Raises:
        AssetError: the file is damaged, or made for another head.
    """
    moved = _MODIFIER in head.mesh.modifiers
    add_wrinkles(head, person=person, model=model, displacement=moved, size=int(head.mesh.get(_MAPS, 2048)))


def remove_person_detail(head: HeadObjects, model: HeadModel | None = None) -> None:
    """Let a head wrinkle as anybody does again; nothing where it wears no person's detail."""
    if has_person_detail(head.mesh):
        moved = _MODIFIER in head.mesh.modifiers
        del head.mesh[PERSON_STRENGTH]
        add_wrinkles(head, model=model, displacement=moved, size=int(head.mesh.get(_MAPS, 2048)))


def wrinkle_strengths(mesh: bpy.types.Object) -> dict[str, float]:
    """How far each group is folded now, as the shader sees it.

    Raises:
        TakeError: the head has no wrinkles.
    """
    if STRENGTH not in mesh:
        raise TakeError(f"'{mesh.name}' has no wrinkles: add them first.")
    shown = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    values = [float(v) for name in _shader_properties(mesh) for v in shown[name]]
    return dict(zip(GROUP_NAMES, values, strict=False))


def _check_fit(detail: PersonDetail, model: HeadModel) -> None:
    if detail.head != model.name:
        raise AssetError(f"The detail is of the head '{detail.head}', this is '{model.name}': make it for this one.")


def _shader_properties(mesh: bpy.types.Object) -> list[str]:
    return [f"{SHADER_PROPERTY}{k}" for k in range(-(-len(GROUPS) // 4)) if f"{SHADER_PROPERTY}{k}" in mesh]


def _sliders(mesh: bpy.types.Object, values: dict[str, Any], names: tuple[str, ...] = (STRENGTH, AGE)) -> None:
    for name in names:
        usual, soft, hard = _SLIDERS[name]
        mesh[name] = float(values.get(name, usual))
        mesh.id_properties_ui(name).update(min=0.0, max=hard, soft_min=0.0, soft_max=soft, default=usual)
    if STRENGTH in names:
        mesh[ON] = bool(values.get(ON, True))


def _take_off(head: HeadObjects) -> None:
    """Nodes, images, drivers and modifier of wrinkles."""
    mesh = head.mesh
    groups: list[Any] = []
    for material in skin_materials(mesh):
        groups += [n.node_tree for n in material.node_tree.nodes if n.name == "Smirk wrinkles" and n.type == "GROUP"]
        disconnect(material)
    for group in dict.fromkeys(g for g in groups if g is not None):
        images = [n.image for n in group.nodes if n.type == "TEX_IMAGE" and n.image is not None]
        if group.users == 0:
            bpy.data.node_groups.remove(group)
            for image in dict.fromkeys(images):
                if image.users == 0:
                    bpy.data.images.remove(image)
    if mesh.animation_data is not None:
        for curve in list(mesh.animation_data.drivers):
            if curve.data_path.startswith((f'["{SHADER_PROPERTY}', f'["{PERSON}"]')):
                mesh.animation_data.drivers.remove(curve)
    modifier = mesh.modifiers.get(_MODIFIER)
    if modifier is not None:
        mesh.modifiers.remove(modifier)


def _add_drivers(head: HeadObjects, person: bool) -> None:
    mesh = head.mesh
    for index, group in enumerate(GROUPS):
        number, element = divmod(index, 4)
        expression, sources = _expression(head, group, index)
        drive(mesh, f'["{SHADER_PROPERTY}{number}"]', element, expression, sources)
    if person:
        mesh[PERSON] = 1.0
        sources = {"a": (mesh, f'["{ON}"]'), "b": (mesh, f'["{PERSON_STRENGTH}"]')}
        drive(mesh, f'["{PERSON}"]', -1, "a*b", sources)


def _expression(head: HeadObjects, group: Group, index: int) -> tuple[str, dict[str, Any]]:
    """What :func:`smirk_core.detail.activation.activations` says, for one group; the same numbers."""
    mesh, blocks = head.mesh, head.keys.key_blocks
    fixed = (ON, STRENGTH, AGE)
    sources: dict[str, Any] = {VARIABLES[k]: (mesh, f'["{name}"]') for k, name in enumerate(fixed)}
    sources["d"] = (mesh, f'["{SHARES}"][{index}]')
    terms = []
    weights = {**group.law, **{name: -weight for name, weight in group.resting.items()}}
    for name, weight in weights.items():
        if name in blocks:
            letter = VARIABLES[len(sources)]
            sources[letter] = (head.keys, key_value(name))
            terms.append(f"{weight:+g}*{letter}")
    law = "".join(terms).removeprefix("+") or "0"
    gain = f"({YOUNG_GAIN:g}+{OLD_GAIN - YOUNG_GAIN:g}*c)"
    rest = f"{group.static / (1 - REST_FROM):.4g}*max(c-{REST_FROM:g},0)"
    return f"a*b*d*({gain}*min(max({law},0),1)+{rest})", sources


def person_from_take(
    head: HeadObjects, take: bpy.types.Action | Take, *, frames: int = 8, model: HeadModel | None = None
) -> PersonDetail:
    """Recover a person's detail from the footage of a take; some seconds for a clip.

    Args:
        head: the head that plays it.
        take: the take, as its action or itself.
        frames: at most how many frames are looked at.
        model: the head's model; found by what the head remembers where not given.

    Raises:
        MediaError: the footage is not there any more or cannot be read.
        TakeError: the take does not say where the head is, or no frame shows the skin.
    """
    from smirk_core.detail.recover import recover_from_take

    model = model_of(head) if model is None else model
    performance = take if isinstance(take, Take) else take_of(take)
    source = bpy.path.abspath(performance.info.source)
    performance = replace(performance, info=replace(performance.info, source=source))
    return recover_from_take(model, performance, frames=frames)


def bake_wrinkles(
    head: HeadObjects, folder: str | os.PathLike[str], *, size: int = 2048, model: HeadModel | None = None
) -> list[Path]:
    """Height and normal maps of every group at its peak, and of the pose that stands now as ``now_*.png``.

    A person's own relief, where the head wears one, lives in an image of the .blend and is not in these maps;
    :func:`smirk_core.detail.baking.bake_take` has it.

    Raises:
        TakeError: the head has no wrinkles.
        ExportError: the folder cannot be written.
    """
    from smirk_core.detail.baking import bake_groups, write_relief

    model = model_of(head) if model is None else model
    strengths = np.array(list(wrinkle_strengths(head.mesh).values()))
    place = Path(bpy.path.abspath(os.fspath(folder)))
    written = bake_groups(model, place, size=size, age=float(head.mesh[AGE]))
    return written + write_relief(model, strengths, place / "now", size=size)
