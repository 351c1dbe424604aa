# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions on a head by hand: presets, symmetry and neutral, at the present frame."""

from __future__ import annotations

from typing import Literal

from mathutils import Quaternion, Vector

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.heads.presets import Preset, preset, preset_groups, sets_channel

from .key_names import names_of
from .rig import HeadObjects, model_of

__all__ = ["Side", "apply_preset", "has_arkit_keys", "is_animated", "make_symmetric"]

Side = Literal["average", "left", "right"]
_DIRECTIONS = ("jaw", "mouth")  # mouthLeft is a direction: on a symmetric face there is none


def has_arkit_keys(head: HeadObjects) -> bool:
    """Whether the expression keys of a head are ARKit's, as far as its mesh tells."""
    return "eyeBlinkLeft" in head.keys.key_blocks


def is_animated(head: HeadObjects) -> bool:
    """Whether an action plays on the head, so that a pose without a key lasts until the next change of frame."""
    return any(b.animation_data is not None and b.animation_data.action for b in (head.armature, head.keys))


def apply_preset(
    head: HeadObjects,
    chosen: Preset | str,
    *,
    strength: float = 1.0,
    insert_keys: bool = False,
    model: HeadModel | None = None,
) -> None:
    """Bring a head from its present pose towards a preset.

    A viseme moves the mouth, jaw and tongue; an expression everything but the turn of the head, and the gaze only
    where it has one of its own.

    Args:
        head: the head.
        chosen: the preset or its name.
        strength: 0 leaves the pose, 1 is the preset, more overdoes it as far as the sliders go.
        insert_keys: also key what was set, at the present frame.
        model: the head's model; found by what the head remembers where not given.

    Raises:
        TakeError: no such preset, or the head's expressions have no ARKit names.
    """
    chosen = preset(chosen) if isinstance(chosen, str) else chosen
    model = model_of(head) if model is None else model
    groups = preset_groups(model, chosen)
    names = names_of(head.mesh, model)
    values = dict(zip(names.expression, groups["expression"][0].tolist(), strict=True))
    channels = dict(zip(names.expression, model.expression_names, strict=True))
    values |= dict(zip(names.eyelids, groups["eyelids"][0].tolist(), strict=True))
    channels |= dict(zip(names.eyelids, ("eyeBlinkLeft", "eyeBlinkRight"), strict=True))
    blocks = head.keys.key_blocks
    for name, value in values.items():
        if sets_channel(chosen, channels[name]) and name in blocks:
            key = blocks[name]
            key.value += strength * (value - key.value)
            if insert_keys:
                key.keyframe_insert("value")
    turns = {"jaw": groups["jaw"][0].tolist()}
    if chosen.kind == "expression" and any(n.startswith("eyeLook") for n in chosen.weights):
        left, right = groups["eyes"][0, :2].tolist(), groups["eyes"][0, 2:].tolist()
        turns |= {"left_eye": [*left, 0.0], "right_eye": [*right, 0.0]}
    for bone, vector in turns.items():
        _turn(head, bone, Vector(vector), strength, insert_keys)


def make_symmetric(
    head: HeadObjects, side: Side = "average", *, strength: float = 1.0, insert_keys: bool = False
) -> None:
    """Make the present expression the same on both sides. Gaze and the turn of the head stay.

    Args:
        head: the head.
        side: the mean of both sides, or what the subject's left or right does.
        strength: 0 leaves the pose, 1 makes it even.
        insert_keys: also key what was set, at the present frame.

    Raises:
        TakeError: the head's expressions have no ARKit names.
    """
    if not has_arkit_keys(head):
        raise TakeError("The expressions of this head have no left and right: only heads with ARKit's names can do it.")
    blocks = head.keys.key_blocks
    for name in ARKIT_NAMES:
        stem = name.removesuffix("Left")
        if stem == name or name not in blocks or stem + "Right" not in blocks:
            continue
        left, right = blocks[name], blocks[stem + "Right"]
        if stem in _DIRECTIONS:
            target = 0.0
        else:
            target = {"average": (left.value + right.value) / 2, "left": left.value, "right": right.value}[side]
        for key in (left, right):
            key.value += strength * (target - key.value)
            if insert_keys:
                key.keyframe_insert("value")
    jaw = head.armature.pose.bones["jaw"].rotation_quaternion.to_exponential_map()
    _turn(head, "jaw", Vector((jaw.x, 0.0, 0.0)), strength, insert_keys)


def _turn(head: HeadObjects, name: str, vector: Vector, strength: float, insert_keys: bool) -> None:
    """Bring a bone towards a rotation vector; strengths beyond 1 go on in the same direction."""
    bone = head.armature.pose.bones[name]
    now = bone.rotation_quaternion.normalized().to_exponential_map()
    mixed = now + strength * (vector - now)
    turn = Quaternion(mixed.normalized(), mixed.length) if mixed.length > 1e-9 else Quaternion()
    turn.make_compatible(bone.rotation_quaternion)  # else a curve between two keys goes the long way round
    bone.rotation_quaternion = turn
    if insert_keys:
        bone.keyframe_insert("rotation_quaternion", group=name)
