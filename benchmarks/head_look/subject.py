# SPDX-License-Identifier: Apache-2.0
"""The head in front of the camera: built as the add-on builds it, posed by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Quaternion, Vector

from blender_smirk.key_names import names_of
from blender_smirk.rig import HeadObjects, build_head
from blender_smirk.shape_keys import to_blender
from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES

from .dressing import Person, dress

__all__ = ["Pose", "Subject", "arkit_row"]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Pose:
    """What a head does: ARKit weights by name, and how it is turned (degrees, to the subject's left, nose down)."""

    weights: Mapping[str, float] = field(default_factory=dict)
    yaw: float = 0.0
    pitch: float = 0.0


def arkit_row(weights: Mapping[str, float]) -> Floats:
    """(1, 52) weights in ARKit's order.

    Raises:
        KeyError: a name that is not ARKit's.
    """
    row = np.zeros((1, len(ARKIT_NAMES)))
    for name, value in weights.items():
        row[0, ARKIT_INDEX[name]] = value
    return row


class Subject:
    """One head in the scene, built anew for each person, posed for each picture."""

    def __init__(self, model: HeadModel) -> None:
        self.model = model
        self.person: Person | None = None
        self.wrinkles: bool | None = None
        self.head: HeadObjects | None = None

    def become(self, person: Person, *, wrinkles: bool = True) -> None:
        """Build the head of ``person`` in place of the one before; nothing where it is that person already."""
        if person == self.person and wrinkles == self.wrinkles:
            return
        self._remove()
        collection = bpy.data.collections.new("Head")
        bpy.context.scene.collection.children.link(collection)
        self.head = build_head(self.model, np.zeros(self.model.identity_size), "Head", collection)
        identity = dress(self.head, self.model, person, wrinkles=wrinkles)
        self.person, self.wrinkles = person, wrinkles
        self.rest = decode(self.model, {"identity": identity[None]})

    def _remove(self) -> None:
        if self.head is None:
            return
        collection = self.head.mesh.users_collection[0]
        for obj in list(collection.all_objects):
            bpy.data.objects.remove(obj, do_unlink=True)
        bpy.data.collections.remove(collection)
        bpy.data.orphans_purge(do_recursive=True)
        self.head = None

    def pose(self, pose: Pose) -> None:
        """Bring the head into a pose."""
        assert self.head is not None
        groups = groups_from_arkit(self.model, arkit_row(pose.weights))
        names = names_of(self.head.mesh, self.model)
        blocks = self.head.keys.key_blocks
        for name, value in zip(names.expression, groups["expression"][0].tolist(), strict=True):
            blocks[name].value = value
        for name, value in zip(names.eyelids, groups["eyelids"][0].tolist(), strict=True):
            blocks[name].value = value
        eyes = groups["eyes"][0].tolist()
        turns = {"jaw": groups["jaw"][0].tolist(), "left_eye": [*eyes[:2], 0.0], "right_eye": [*eyes[2:], 0.0]}
        for bone, vector in turns.items():
            turn = Vector(vector)
            self.head.armature.pose.bones[bone].rotation_quaternion = Quaternion(turn.normalized(), turn.length)
        self.head.armature.matrix_world = Matrix(self._turn(pose).tolist()).to_4x4()
        bpy.context.view_layer.update()

    @staticmethod
    def _turn(pose: Pose) -> Floats:
        """(3, 3) turn of the whole head in Blender's axes."""
        yaw = Matrix.Rotation(math.radians(pose.yaw), 3, "Z")
        return np.array(yaw @ Matrix.Rotation(math.radians(pose.pitch), 3, "X"))

    def place(self, part: str, pose: Pose) -> Floats:
        """(3,) where the middle of a part is: "head", "face", "right_eye", "eyes", "mouth" or "brows"."""
        points = np.asarray(self.rest.vertices[0])
        joints = np.asarray(self.rest.joints[0])
        eyes = joints[[self.model.joint_names.index("left_eye"), self.model.joint_names.index("right_eye")]]
        skin = points[self.model.regions["face"]]
        top = float(points[self.model.regions["skin"]][:, 1].max())
        chin = float(skin[:, 1].min())
        middle = {
            "head": np.array([0.0, 0.42 * top + 0.58 * chin, 0.0]),
            "face": np.array([0.0, float(eyes[:, 1].mean()) - 0.025, 0.0]),
            "right_eye": eyes[1] + np.array([0, 0.002, 0.012]),
            "eyes": eyes.mean(axis=0) + np.array([0, 0.004, 0.012]),
            "brows": eyes.mean(axis=0) + np.array([0, 0.014, 0.012]),
            "mouth": points[self.model.regions["lips"]].mean(axis=0),
        }[part]
        return self._turn(pose) @ to_blender(middle[None])[0]
