# SPDX-License-Identifier: Apache-2.0
"""Parameters to joints, vertices and landmarks: linear blend skinning, one code for NumPy and torch.

The forward pass is FLAME's (Li et al. 2017, eq. 2-5): blend shapes, joints regressed from the rest mesh, pose
correctives, skinning along the kinematic chain. The root rotates about its own joint; there is no translation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import array_api_compat

from .head_model import HeadModel, LandmarkEmbedding
from .rotation import matrix_from_rotvec

__all__ = ["Decoded", "decode", "landmark_points", "lid_features", "pose_rotations", "project"]

Array = Any


@dataclass(frozen=True)
class Decoded:
    """A batch of posed heads.

    Attributes:
        vertices: (N, V, 3) metres, head space turned by ``rotation`` (the camera looks along -z).
        joints: (N, J, 3) metres, posed joint positions.
        rest_joints: (N, J, 3) metres, before posing; bones are placed here.
    """

    vertices: Array
    joints: Array
    rest_joints: Array


def _blend(base: Array, weights: Array | None, basis: Array) -> Array:
    """base (1 or N, V, 3) + weights (N, k) . basis (K, V, 3), k <= K (missing coefficients are zero)."""
    if weights is None or weights.shape[-1] == 0:
        return base
    xp = array_api_compat.array_namespace(basis)
    used = basis[: weights.shape[-1], ...]
    if weights.shape[-1] > basis.shape[0]:
        raise ValueError(f"{weights.shape[-1]} coefficients for a basis of {basis.shape[0]}")
    flat = xp.reshape(used, (used.shape[0], -1))
    return base + xp.reshape(weights @ flat, (weights.shape[0], *basis.shape[1:]))


def pose_rotations(parameters: Mapping[str, Array], like: Array, count: int) -> Array:
    """(N, 5, 3, 3) local rotation matrices of root, neck, jaw, left eye, right eye; missing groups are identity."""
    xp = array_api_compat.array_namespace(like)
    device = array_api_compat.device(like)
    zeros = xp.zeros((count, 3), dtype=like.dtype, device=device)
    eyes = parameters.get("eyes")
    if eyes is None:
        left = right = zeros
    else:
        none = zeros[:, :1]
        left = xp.concat([eyes[:, 0:2], none], axis=-1)
        right = xp.concat([eyes[:, 2:4], none], axis=-1)
    vectors = [
        parameters.get("rotation", zeros),
        parameters.get("neck", zeros),
        parameters.get("jaw", zeros),
        left,
        right,
    ]
    return matrix_from_rotvec(xp.stack(vectors, axis=1))


def lid_features(eyelids: Array | None, feature: Array) -> Array:
    """(N, 4) what lids do that is not linear in them: left w (1 - w) and w sin d, then right.

    w is the closure, cut to 0..1, and d how far the eye looks down: element R[2, 1] of its rotation. The first bends
    the way of a lid around the ball, the second keeps a lid that follows the gaze from closing twice.

    Args:
        eyelids: (N, 2) or None for open lids.
        feature: (N, 36) elements of R - I of neck, jaw, left and right eye.
    """
    xp = array_api_compat.array_namespace(feature)
    if eyelids is None:
        return xp.zeros_like(feature[:, :4])
    closure = xp.clip(eyelids, 0.0, 1.0)
    down = xp.stack([feature[:, 9 * eye + 7] for eye in (2, 3)], axis=-1)
    return xp.reshape(xp.stack([closure * (1 - closure), closure * down], axis=-1), (feature.shape[0], 4))


def _array(values: Array, xp: Any, device: Any) -> Array:
    """``values`` on a device, with their gradient: older versions of torch drop it in ``asarray``."""
    if array_api_compat.is_array_api_obj(values) and array_api_compat.array_namespace(values) is xp:
        return array_api_compat.to_device(values, device)
    return xp.asarray(values, device=device)


def decode(model: HeadModel, parameters: Mapping[str, Array]) -> Decoded:
    """Pose a batch of heads.

    Args:
        model: any head. For torch, convert it first: its arrays decide dtype and device.
        parameters: group name -> (N, size) array, groups as in :mod:`smirk_core.heads.parameters`; all of one
            batch size. Missing groups are zero, short identity and expression vectors are zero-padded. Groups
            that do not move vertices (camera, confidence, visibility) are ignored.

    Returns:
        Vertices and joints, in the dtype of the model.

    Raises:
        ValueError: batch sizes differ, or more coefficients than the model has.
    """
    xp = array_api_compat.array_namespace(model.template)
    device = array_api_compat.device(model.template)
    moving = ("identity", "expression", "eyelids", "rotation", "neck", "jaw", "eyes")
    given = {
        k: xp.astype(_array(parameters[k], xp, device), model.template.dtype)
        for k in moving
        if parameters.get(k) is not None
    }
    counts = {v.shape[0] for v in given.values()}
    if len(counts) > 1:
        raise ValueError(f"batch sizes differ: { {k: v.shape[0] for k, v in given.items()} }")
    n = counts.pop() if counts else 1

    shaped = _blend(model.template[None, ...], given.get("identity"), model.identity_basis)
    expressed = _blend(shaped, given.get("expression"), model.expression_basis)
    rest_joints = model.joint_regressor @ (expressed if model.joints_follow_expression else shaped)
    rest_joints = xp.broadcast_to(rest_joints, (n, *rest_joints.shape[1:]))

    rotations = pose_rotations(given, model.template, n)
    identity = xp.eye(3, dtype=model.template.dtype, device=device)
    feature = xp.reshape(rotations[:, 1:, ...] - identity, (n, -1))
    posed = expressed
    if model.corrective_basis.shape[0]:
        feature = xp.concat([feature, lid_features(given.get("eyelids"), feature)], axis=-1)
        columns = xp.asarray(model.corrective_features, device=device)
        posed = _blend(posed, xp.take(feature, columns, axis=1), model.corrective_basis)
    eyelids = given.get("eyelids")
    if eyelids is not None and not model.eyelids_after_skinning:
        posed = _blend(posed, eyelids, model.eyelid_basis)
    posed = xp.broadcast_to(posed, (n, *posed.shape[1:]))

    # Forward kinematics: the world rotation and position of every joint, parents first.
    turns, places = [rotations[:, 0, ...]], [rest_joints[:, 0, :]]
    for joint in range(1, len(model.joint_parents)):
        parent = model.joint_parents[joint]
        turns.append(turns[parent] @ rotations[:, joint, ...])
        offset = rest_joints[:, joint, :] - rest_joints[:, parent, :]
        places.append(places[parent] + (turns[parent] @ offset[..., None])[..., 0])

    # Skinning: sum_j w_j (R_j (v - rest_j) + place_j), one joint at a time to keep memory at one mesh.
    vertices = xp.zeros_like(posed)
    for joint, (turn, place) in enumerate(zip(turns, places, strict=True)):
        shift = place - (turn @ rest_joints[:, joint, :, None])[..., 0]
        moved = posed @ xp.matrix_transpose(turn) + shift[:, None, :]
        vertices = vertices + model.skinning_weights[None, :, joint, None] * moved
    if eyelids is not None and model.eyelids_after_skinning:
        vertices = _blend(vertices, eyelids, model.eyelid_basis)
    return Decoded(vertices, xp.stack(places, axis=1), rest_joints)


def landmark_points(model: HeadModel, vertices: Array, embedding: LandmarkEmbedding) -> Array:
    """(N, V, 3) vertices to (N, L, 3) points on the embedding's triangles."""
    xp = array_api_compat.array_namespace(vertices)
    device = array_api_compat.device(vertices)
    corners = model.triangles[embedding.triangles]
    total = None
    for k in range(3):
        index = xp.asarray(corners[:, k], device=device)
        weight = xp.astype(xp.asarray(embedding.barycentric[:, k], device=device), vertices.dtype)
        part = xp.take(vertices, index, axis=1) * weight[None, :, None]
        total = part if total is None else total + part
    return total


def project(points: Array, camera: Array) -> Array:
    """Scaled-orthographic projection into full-frame pixels.

    Convention: u = scale * x + tx, v = -scale * y + ty; pixel origin at the centre of the top-left pixel, v down.
    With camera (1000, 320, 240) the point (0.1, 0.05, z) lands at (420, 190), whatever its z.

    Args:
        points: (N, L, 3) metres.
        camera: (N, 3) as (scale in px/m, tx, ty in px).

    Returns:
        (N, L, 3): u, v and depth -scale * z in pixels (smaller is nearer, like MediaPipe's z).
    """
    xp = array_api_compat.array_namespace(points)
    scale = camera[:, None, 0]
    u = scale * points[..., 0] + camera[:, None, 1]
    v = -scale * points[..., 1] + camera[:, None, 2]
    return xp.stack([u, v, -scale * points[..., 2]], axis=-1)
