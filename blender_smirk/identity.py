# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose face it is: baked into the Basis, or live as sliders for the first components, also after the rig is built.

A live component's slider shows its coefficient. The mesh follows by a shape key, the joints by
:mod:`.joints`; bones are placed anew where components become live or are baked, so that they rest in the joints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel

from .bones import editing, place_bone
from .joints import JointTerm, joint_terms, set_joint_pivots
from .key_names import names_of
from .shape_keys import SLIDER_LIMIT, add_key, from_blender, to_blender

if TYPE_CHECKING:
    from .rig import HeadObjects

__all__ = [
    "IdentityKeys",
    "add_identity_keys",
    "bake_identity",
    "baked_identity",
    "identity_of",
    "live_count",
    "note_baked_identity",
    "rest_shape",
    "set_identity_keys",
    "settle_joints",
]

Floats = npt.NDArray[np.floating[Any]]
IdentityKeys = Literal["baked", "all"] | int
# Custom property of the mesh: (K,) coefficients that its Basis holds, as text, which every exporter can pass on.
IDENTITY_PROPERTY = "smirk_identity"


def live_count(model: HeadModel, choice: IdentityKeys) -> int:
    """How many identity components a choice makes live: none for "baked", K for "all", else the first N.

    Raises:
        TakeError: N is not between 0 and K.
    """
    if choice == "baked":
        return 0
    count = model.identity_size if choice == "all" else int(choice)
    if not 0 <= count <= model.identity_size:
        raise TakeError(f"The head '{model.name}' has {model.identity_size} identity components, not {count}.")
    return count


def rest_shape(model: HeadModel, identity: Floats) -> tuple[Floats, Floats]:
    """Vertices (V, 3) and joints (J, 3) of an identity at rest: metres, head space, float64.

    Raises:
        TakeError: ``identity`` has more coefficients than the head.
    """
    identity = np.asarray(identity, dtype=np.float64)
    if len(identity) > model.identity_size:
        raise TakeError(
            f"The take has {len(identity)} identity coefficients, the head '{model.name}' {model.identity_size}: "
            "use the head that the take was made with."
        )
    basis = model.identity_basis[: len(identity)].astype(np.float64)
    vertices = model.template + np.tensordot(identity, basis, axes=1)
    return vertices, model.joint_regressor.astype(np.float64) @ vertices


def baked_identity(mesh: bpy.types.Object, model: HeadModel) -> Floats:
    """(K,) coefficients that the Basis of ``mesh`` holds, live sliders not counted."""
    baked = np.zeros(model.identity_size)
    stored = np.array(str(mesh.get(IDENTITY_PROPERTY, "")).split(), dtype=np.float64)
    baked[: len(stored)] = stored
    return baked


def note_baked_identity(mesh: bpy.types.Object, baked: Floats) -> None:
    """Note the (K,) coefficients that the Basis of ``mesh`` holds."""
    mesh[IDENTITY_PROPERTY] = " ".join(map(repr, np.asarray(baked, dtype=np.float64).tolist()))


def identity_of(head: HeadObjects, model: HeadModel) -> Floats:
    """(K,) identity coefficients that a head shows now: baked ones and live sliders together."""
    identity = baked_identity(head.mesh, model)
    for k, key in _live(head, model).items():
        identity[k] += key.value
    return identity


def add_identity_keys(head: HeadObjects, model: HeadModel, count: IdentityKeys = "all") -> None:
    """Make the first ``count`` identity components of a head live; those that are live already stay so.

    Nothing moves: sliders start at the coefficients of the face. A coefficient beyond a slider's reach of 10 stays in
    the Basis with what is above.

    Raises:
        TakeError: the head has fewer components.
    """
    set_identity_keys(head, model, max(live_count(model, count), len(_live(head, model))))


def bake_identity(head: HeadObjects, model: HeadModel) -> None:
    """Take the face as it is now into the Basis, remove the identity sliders, and put the bones into its joints."""
    set_identity_keys(head, model, 0)


def set_identity_keys(head: HeadObjects, model: HeadModel, count: int) -> None:
    """Let exactly the first ``count`` identity components be live, and put the bones into the joints of the face.

    The face stays as it is, and so does what has been sculpted into any key.

    Raises:
        SmirkError: the armature cannot be edited; nothing has changed then.
    """
    with editing(head.armature):  # raises before anything is changed
        pass
    names = names_of(head.mesh, model).identity
    live, baked = _live(head, model), baked_identity(head.mesh, model)
    shift = np.zeros((len(model.template), 3))  # of Basis and with it of all keys, Blender axes
    basis = _points(head.keys.key_blocks[0])
    for k in [k for k in live if k >= count]:
        shift += live[k].value * (_points(live[k]) - basis)
        baked[k] += live[k].value
        live[k].driver_remove("value")
        head.mesh.shape_key_remove(live[k])
    fresh = {k: float(np.clip(baked[k], -SLIDER_LIMIT, SLIDER_LIMIT)) for k in range(count) if k not in live}
    for k, value in fresh.items():
        shift -= value * to_blender(model.identity_basis[k].astype(np.float64))
        baked[k] -= value
    if shift.any():
        for key in head.keys.key_blocks:
            key.data.foreach_set("co", np.float32(_points(key) + shift).ravel())
        head.mesh.data.vertices.foreach_set("co", np.float32(basis + shift).ravel())
        head.mesh.data.update()
    if fresh:
        neutral = from_blender(basis + shift)
        for k, value in fresh.items():
            key = add_key(head.mesh, names[k], neutral + model.identity_basis[k], -SLIDER_LIMIT, SLIDER_LIMIT)
            key.value = value
    note_baked_identity(head.mesh, baked)
    settle_joints(head, model)


def settle_joints(head: HeadObjects, model: HeadModel) -> None:
    """Put the bones into the joints of the face as it is now, and let the joints follow all live sliders from there."""
    _, joints = rest_shape(model, identity_of(head, model))
    with editing(head.armature):
        for name, place in zip(model.joint_names, to_blender(joints), strict=True):
            place_bone(head.armature.data.edit_bones[name], place)
    set_joint_pivots(head.armature, head.keys, model, _terms(head, model))


def _terms(head: HeadObjects, model: HeadModel) -> list[JointTerm]:
    names = names_of(head.mesh, model)
    live = _live(head, model)
    terms = []
    if model.joints_follow_expression:
        terms += joint_terms(model, names.expression, model.expression_basis)
    if live:
        which = list(live)
        origins = [key.value for key in live.values()]
        terms += joint_terms(model, [names.identity[k] for k in which], model.identity_basis[which], origins)
    return terms


def _live(head: HeadObjects, model: HeadModel) -> dict[int, bpy.types.ShapeKey]:
    blocks = head.keys.key_blocks
    present = {key.name: key for key in blocks}
    names = names_of(head.mesh, model).identity
    return {k: present[name] for k, name in enumerate(names) if name in present}


def _points(key: bpy.types.ShapeKey) -> Floats:
    points = np.empty(3 * len(key.data), dtype=np.float32)
    key.data.foreach_get("co", points)
    return points.reshape(-1, 3).astype(np.float64)
