# SPDX-License-Identifier: Apache-2.0
"""Joints, regressor and skinning weights: jaw fitted to MakeHuman's jawOpen, neck from its chain of neck bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse
from scipy.spatial.transform import Rotation

from .build_assembly import Assembly
from .build_makehuman import MakeHuman

__all__ = ["JOINT_NAMES", "JOINT_PARENTS", "Skeleton", "build_skeleton", "skinning_jacobian", "smooth"]

Floats = npt.NDArray[np.floating[Any]]
JOINT_NAMES = ("root", "neck", "jaw", "left_eye", "right_eye")
JOINT_PARENTS = (-1, 0, 1, 1, 1)
# MakeHuman's neck bends in three bones; ours in one, so each bone counts in part.
_NECK_SHARE = {"neck01": 0.25, "neck02": 0.55, "neck03": 0.8}


@dataclass(frozen=True)
class Skeleton:
    """``regressor`` (5, V), ``weights`` (V, 5) and ``jaw_angle``, the radians of jaw rotation in a full jawOpen."""

    regressor: Floats
    weights: Floats
    jaw_angle: float


def fit_hinge(template: Floats, opened: Floats) -> tuple[Floats, float, Floats]:
    """The hinge (3,) on the midplane, the angle about +x and the share (n,) of the rotation that best open the jaw."""

    def split(parameters: Floats) -> tuple[Floats, Floats]:
        angle, y, z = parameters
        hinge = np.array([0, y, z])
        turned = (template - hinge) @ Rotation.from_rotvec([angle, 0, 0]).as_matrix().T + hinge - template
        share = (opened * turned).sum(axis=1) / np.maximum((turned**2).sum(axis=1), 1e-12)
        return np.clip(share, 0, 1), turned

    def loss(parameters: Floats) -> float:
        share, turned = split(parameters)
        return float(((opened - share[:, None] * turned) ** 2).sum() * 1e6)

    eyes = template[:, 1].max() - 0.11
    start = np.array([0.36, eyes - 0.034, 0.0])
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-4, "maxiter": 600})
    share, _ = split(best.x)
    return np.array([0, best.x[1], best.x[2]]), float(best.x[0]), share


def smooth(values: Floats, assembly: Assembly, rounds: int) -> Floats:
    """(S, ...) values on the skin, averaged with their mesh neighbours."""
    shape, values = values.shape, values.reshape(len(values), -1)
    quads = assembly.layout.polygons
    a = quads.ravel()
    b = quads[:, [1, 2, 3, 0]].ravel()
    n = len(values)
    links = sparse.csr_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(n, n))
    links.data[:] = 1
    degree = np.asarray(links.sum(axis=1)).ravel()
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (links @ values) / degree[:, None]
    return values.reshape(shape)


def _regress(point: Floats, vertices: Floats, candidates: npt.NDArray[np.integer[Any]]) -> Floats:
    """(V,) weights on the candidates that sum to 1 and give the point: the smallest such weights."""
    system = np.concatenate([vertices[candidates].T, np.ones((1, len(candidates)))])
    row = np.zeros(len(vertices))
    row[candidates] = np.linalg.pinv(system, rcond=1e-9) @ np.append(point, 1)
    return row


def build_skeleton(human: MakeHuman, assembly: Assembly, template: Floats, jaw_open: Floats) -> Skeleton:
    """Fit the skeleton.

    Args:
        template: (V, 3), origin anywhere.
        jaw_open: (S, 3) skin displacement of MakeHuman's jawOpen.
    """
    skin = assembly.slices["skin"]
    rest = template[skin]
    hinge, angle, share = fit_hinge(rest, jaw_open)
    moved = np.linalg.norm(jaw_open, axis=1)
    share = share * np.clip((moved - 0.2e-3) / 0.8e-3, 0, 1)
    share = np.clip(smooth(share, assembly, 3), 0, 1)
    share = (share + share[assembly.layout.mirror]) / 2

    weights = np.zeros((assembly.count, 5))
    neck = np.zeros(len(human.vertices))
    body = np.zeros(len(human.vertices))
    for bone, column in human.bone_weights.items():
        share_of_bone = _NECK_SHARE.get(bone)
        if share_of_bone is None:
            share_of_bone = 0.0 if bone.startswith(("spine", "clavicle", "shoulder", "upperarm", "breast")) else 1.0
        neck += share_of_bone * column
        body += column
    neck = np.divide(neck, body, out=np.ones_like(neck), where=body > 1e-6)
    neck_skin = assembly.layout.crop @ neck[assembly.layout.source]
    neck_skin = np.clip(smooth((neck_skin + neck_skin[assembly.layout.mirror]) / 2, assembly, 4), 0, 1)
    weights[skin, 0] = 1 - neck_skin
    weights[skin, 2] = np.minimum(share, neck_skin)
    weights[skin, 1] = neck_skin - weights[skin, 2]
    for name, joint in (
        ("left_eye", 3), ("right_eye", 4), ("upper_teeth", 1), ("lower_teeth", 2), ("tongue", 2),
        ("left_lashes", 1), ("right_lashes", 1), ("left_brow", 1), ("right_brow", 1),
        ("left_tears", 1), ("right_tears", 1),
    ):  # fmt: skip
        weights[assembly.slices[name], joint] = 1

    eyes = template[assembly.slices["left_eye"]].mean(axis=0)
    ring = np.flatnonzero(np.abs(rest[:, 1] - (eyes[1] - 0.1)) < 0.012)
    ring = ring[(weights[ring, 2] < 0.02) & (rest[ring, 2] < eyes[2] - 0.03)]
    regressor = np.zeros((5, assembly.count))
    regressor[0, assembly.layout.neck_loop] = 1 / len(assembly.layout.neck_loop)
    target = np.array([0, eyes[1] - 0.1, rest[ring][:, 2].mean()])
    regressor[1] = _regress(target, template, ring)
    sides = np.flatnonzero(
        (np.abs(rest[:, 1] - hinge[1]) < 0.014) & (np.abs(rest[:, 2] - hinge[2]) < 0.014) & (np.abs(rest[:, 0]) > 0.05)
    )
    regressor[2] = _regress(hinge, template, sides)
    for joint, name in ((3, "left_eye"), (4, "right_eye")):
        centre = np.abs(np.linalg.norm(assembly.ball, axis=1) - 1) < 1e-9  # the white alone
        part = np.arange(assembly.count)[assembly.slices[name]][centre]
        ball = assembly.ball[centre] * ([1, 1, 1] if joint == 3 else [-1, 1, 1])
        # Weights on the ball whose combination of unit directions is zero: the centre, for every radius.
        regressor[joint, part] = np.linalg.pinv(np.concatenate([ball.T, np.ones((1, len(ball)))])) @ [0, 0, 0, 1]
    return Skeleton(regressor, weights, angle)


def skinning_jacobian(weights: Floats, joint: int, angle: float) -> Floats:
    """(n, 3, 3) what skinning makes of a displacement while one joint is turned about +x."""
    turn = Rotation.from_rotvec([angle, 0, 0]).as_matrix() - np.eye(3)
    return np.eye(3) + weights[:, joint, None, None] * turn
