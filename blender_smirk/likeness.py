# SPDX-License-Identifier: GPL-3.0-or-later
"""Another face on a head that is in the scene: at random, symmetric, or back as it was captured.

Whatever was sculpted into a key, every animation and the sliders of live components stay.
"""

from __future__ import annotations

import re
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.likeness import random_identity, symmetric_identity

from .identity import identity_of, note_baked_identity, set_identity_keys
from .key_names import names_of
from .rig import HeadObjects, model_of
from .shape_keys import to_blender
from .wear import refit

__all__ = [
    "captured_identity",
    "is_slider",
    "live_sliders",
    "randomise_identity",
    "reset_identity",
    "set_identity",
    "symmetrise_identity",
]

Floats = npt.NDArray[np.floating[Any]]
_CAPTURED = "smirk_captured"  # custom property of the mesh: K numbers, the identity before the first change


def set_identity(head: HeadObjects, identity: Floats, model: HeadModel | None = None) -> None:
    """Give a head another identity: vertices of all keys move by the difference, bones go into the new joints.

    Args:
        head: the head.
        identity: (k,) coefficients, k <= K.
        model: the head's model; found by what the head remembers where not given.

    Raises:
        TakeError: more coefficients than the head has.
    """
    model = model_of(head) if model is None else model
    identity = np.asarray(identity, np.float64)
    if len(identity) > model.identity_size:
        raise TakeError(f"The head '{model.name}' has {model.identity_size} identity components, not {len(identity)}.")
    before = identity_of(head, model)
    if _CAPTURED not in head.mesh:
        head.mesh[_CAPTURED] = " ".join(map(repr, before.tolist()))
    wanted = np.zeros(model.identity_size)
    wanted[: len(identity)] = identity
    live = len(live_sliders(head, model))
    set_identity_keys(head, model, 0)
    change = to_blender(np.tensordot(wanted - before, model.identity_basis.astype(np.float64), axes=1))
    points = np.empty(3 * len(change), dtype=np.float32)
    for key in head.keys.key_blocks:
        key.data.foreach_get("co", points)
        key.data.foreach_set("co", points + np.float32(change).ravel())
    head.keys.key_blocks[0].data.foreach_get("co", points)
    head.mesh.data.vertices.foreach_set("co", points)
    head.mesh.data.update()
    note_baked_identity(head.mesh, wanted)
    set_identity_keys(head, model, live)
    refit(head, model)


def captured_identity(head: HeadObjects, model: HeadModel | None = None) -> Floats:
    """(K,) the identity that a head was built with."""
    if _CAPTURED in head.mesh:
        return np.array(str(head.mesh[_CAPTURED]).split(), np.float64)
    return identity_of(head, model_of(head) if model is None else model)


def reset_identity(head: HeadObjects, model: HeadModel | None = None) -> None:
    """Give a head the face back that it was built with."""
    set_identity(head, captured_identity(head, model), model)


def symmetrise_identity(head: HeadObjects, strength: float = 1.0, model: HeadModel | None = None) -> None:
    """Make both sides of the face alike, as far as ``strength`` (0 to 1) says.

    Raises:
        TakeError: the head's mesh has no symmetry.
    """
    model = model_of(head) if model is None else model
    set_identity(head, symmetric_identity(model, identity_of(head, model), strength), model)


def randomise_identity(
    head: HeadObjects, seed: int, *, spread: float = 0.9, likeness: float = 0.0, model: HeadModel | None = None
) -> None:
    """Give a head the face of a plausible stranger.

    Args:
        head: the head.
        seed: which stranger.
        spread: how far from the mean, in standard deviations.
        likeness: how much of the captured face stays, 0 none, 1 all.
        model: the head's model; found by what the head remembers where not given.
    """
    model = model_of(head) if model is None else model
    stranger, own = random_identity(model, seed, spread), captured_identity(head, model)
    set_identity(head, stranger + likeness * (own - stranger), model)


def live_sliders(head: HeadObjects, model: HeadModel | None = None) -> list[bpy.types.ShapeKey]:
    """The keys of the identity components that are live, in their order."""
    names = names_of(head.mesh, model_of(head) if model is None else model).identity
    return [head.keys.key_blocks[name] for name in names if name in head.keys.key_blocks]


def is_slider(name: str) -> bool:
    """Whether a key is called as identity components are, in either style of names; costs nothing, for panels."""
    return re.fullmatch(r"identity_\d+|Shape\d+", name) is not None
