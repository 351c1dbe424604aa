# SPDX-License-Identifier: Apache-2.0
"""A head reduced to its landmarks: the forward pass of the decoder and its analytic Jacobian, batched over frames.

Landmarks are barycentric mixtures of skinned vertices, so each is a sum over rigid parts (head, jaw, eyes) of a rotated
linear function of identity, expressions, lids and pose correctives. Nothing is approximated: the points equal those of
:func:`smirk_core.heads.decode.decode` with the neck at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.decode import lid_features
from ..heads.head_model import HeadModel, LandmarkEmbedding
from ..heads.rotation import matrix_from_rotvec

__all__ = ["BLOCKS", "FrameLayout", "LandmarkModel", "left_jacobian"]

Floats = npt.NDArray[np.floating[Any]]

# The per-frame unknowns in front of the expression weights. Distances are metres: the camera's translation is kept as
# tx / scale_reference, its scale as a logarithm relative to that reference.
BLOCKS: dict[str, slice] = {
    "rotation": slice(0, 3),
    "log_scale": slice(3, 4),
    "shift": slice(4, 6),
    "jaw": slice(6, 9),
    "eyes": slice(9, 13),
    "eyelids": slice(13, 15),
}
_FIRST_EXPRESSION = 15
# The rotation block of each joint that turns on its own (jaw, left eye, right eye) and how many of its axes it has.
_PARTS = ((slice(6, 9), 3), (slice(9, 11), 2), (slice(11, 13), 2))


@dataclass(frozen=True)
class FrameLayout:
    """Where each group sits in the (N, 15 + E) matrix of per-frame unknowns."""

    expression_size: int

    @property
    def size(self) -> int:
        return _FIRST_EXPRESSION + self.expression_size

    def __getitem__(self, group: str) -> slice:
        return slice(_FIRST_EXPRESSION, self.size) if group == "expression" else BLOCKS[group]


def left_jacobian(rotvec: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3): exp(r + d) = exp(J d) exp(r) to first order (Sola et al. 2018, eq. 145)."""
    square = (rotvec * rotvec).sum(-1)[..., None, None]
    tiny = square < 1e-8
    safe = np.where(tiny, 1.0, square)
    angle = np.sqrt(safe)
    first = np.where(tiny, 0.5 - square / 24, (1 - np.cos(angle)) / safe)
    second = np.where(tiny, 1 / 6 - square / 120, (angle - np.sin(angle)) / (safe * angle))
    k = _skew(rotvec)
    return np.eye(3, dtype=rotvec.dtype) + first * k + second * (k @ k)


def _cross(a: Floats, b: Floats) -> Floats:
    """np.cross without its overhead on small arrays."""
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    z = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return np.stack([x, y, z], -1)


def _skew(v: Floats) -> Floats:
    zero = np.zeros_like(v[..., 0])
    rows = [zero, -v[..., 2], v[..., 1], v[..., 2], zero, -v[..., 0], -v[..., 1], v[..., 0], zero]
    return np.stack(rows, -1).reshape(*v.shape[:-1], 3, 3)


@dataclass(frozen=True)
class _Part:
    """The share of every landmark that one rigid part carries. Lp points have a share.

    ``identity`` (K, Lp, 3), ``linear`` (E + 2 + C, Lp, 3): expressions, lids, correctives; ``base`` (Lp, 3).
    ``slopes`` (3, Lp * P): the linear unknowns once more, in the columns of the Jacobian, the other columns zero.
    ``corrective_slopes`` (3, Lp * C).
    """

    joint: int
    points: npt.NDArray[np.intp]
    mass: Floats
    base: Floats
    identity: Floats
    linear: Floats
    slopes: Floats
    corrective_slopes: Floats


class LandmarkModel:
    """Landmarks of a head as a function of identity and per-frame unknowns.

    Args:
        model: any head; all that is needed of it is copied in reduced form.
        embedding: which landmarks.
        identity_size: how many identity coefficients to use (the first ones).
    """

    def __init__(self, model: HeadModel, embedding: LandmarkEmbedding, identity_size: int | None = None) -> None:
        self.layout = FrameLayout(model.expression_size)
        self.count = len(embedding)
        self.identity_size = min(model.identity_size, identity_size or model.identity_size)
        corners = model.triangles[embedding.triangles]  # (L, 3)
        weights = model.skinning_weights[corners].astype(np.float64)  # (L, 3, J)
        share = embedding.barycentric[:, :, None] * weights  # (L, 3, J)
        # Root and neck move as one while the neck is at rest.
        share = np.concatenate([share[..., :1] + share[..., 1:2], share[..., 2:]], axis=-1)
        linear = np.concatenate([model.expression_basis, model.eyelid_basis, model.corrective_basis])
        self._features = model.corrective_features
        self._parts: list[_Part] = []
        for slot, joint in enumerate((0, 2, 3, 4)):
            points = np.flatnonzero(share[:, :, slot].sum(1) > 1e-6)
            factor = share[points, :, slot].astype(np.float32)  # (Lp, 3)
            index = corners[points]
            moved = np.einsum("lk,nlkc->nlc", factor, linear[:, index])
            size, expressions = self.layout.size, self.layout.expression_size
            slopes = np.zeros((3, len(points), size), np.float32)
            slopes[..., self.layout["expression"]] = np.transpose(moved[:expressions], (2, 1, 0))
            slopes[..., self.layout["eyelids"]] = np.transpose(moved[expressions : expressions + 2], (2, 1, 0))
            corrective = np.ascontiguousarray(np.transpose(moved[expressions + 2 :], (2, 1, 0)))
            part = _Part(
                joint=joint,
                points=points,
                mass=factor.sum(1),
                base=np.einsum("lk,lkc->lc", factor, model.template[index]),
                identity=np.einsum("lk,nlkc->nlc", factor, model.identity_basis[: self.identity_size][:, index]),
                linear=moved,
                slopes=slopes.reshape(3, -1),
                corrective_slopes=corrective.reshape(3, -1),
            )
            self._parts.append(part)
        regressor = model.joint_regressor
        self._joints = regressor @ model.template  # (J, 3)
        self._joint_identity = np.einsum("jv,kvc->kjc", regressor, model.identity_basis[: self.identity_size])
        # (E, J, 3) where expressions move the joints, as FLAME's do; none elsewhere.
        moving = model.expression_basis if model.joints_follow_expression else model.expression_basis[:0]
        self._joint_expression = np.einsum("jv,evc->ejc", regressor, moving).astype(np.float32)

    def shaped(self, identity: Floats) -> tuple[list[Floats], Floats]:
        """Per-part rest points [(Lp, 3)] and joints (J, 3) of one identity (K,)."""
        k = len(identity)
        bases = [p.base + np.tensordot(identity, p.identity[:k], 1) for p in self._parts]
        return bases, self._joints + np.tensordot(identity, self._joint_identity[:k], 1)

    def evaluate(
        self,
        identity: Floats,
        unknowns: Floats,
        base_rotation: Floats,
        *,
        jacobian: bool = False,
        with_identity: bool = False,
    ) -> tuple[Floats, Floats | None, Floats | None]:
        """Image points in units of metres at the reference scale, and their derivatives.

        Args:
            identity: (K,).
            unknowns: (N, 15 + E), see :data:`BLOCKS`.
            base_rotation: (3, 3); the head's rotation is exp(unknowns.rotation) @ base_rotation.
            jacobian, with_identity: what to compute besides the points.

        Returns:
            points (N, 2, L): u and v divided by the reference scale; v down.
            d points / d unknowns (N, 2, L, 15 + E) or None.
            d points / d identity (N, 2, L, K) or None.
        """
        x = unknowns.astype(np.float32)
        n, count, layout = len(x), self.count, self.layout
        bases, joints = self.shaped(identity.astype(np.float32))
        joints = joints.astype(np.float32)[None]  # (1, J, 3), or (N, J, 3) where they follow expressions
        follows = len(self._joint_expression) > 0
        if follows:
            joints = joints + np.tensordot(x[:, layout["expression"]], self._joint_expression, 1)
        zero = np.zeros((n, 1), np.float32)
        rotvecs = np.stack(
            [x[:, 6:9], np.concatenate([x[:, 9:11], zero], 1), np.concatenate([x[:, 11:13], zero], 1)], axis=1
        )
        local = matrix_from_rotvec(rotvecs)  # (N, 3, 3, 3) of jaw, left eye, right eye
        head = (matrix_from_rotvec(x[:, 0:3]) @ base_rotation.astype(np.float32)).astype(np.float32)
        feature, feature_slopes = self._pose_features(rotvecs, local, x[:, layout["eyelids"]], jacobian)
        linear = np.concatenate([x[:, layout["expression"]], x[:, layout["eyelids"]], feature], axis=1)  # (N, E+2+C)

        scale = np.exp(x[:, 3])
        flip = np.array([1.0, -1.0], np.float32)
        image = (scale[:, None] * flip)[:, :, None] * head[:, :2, :]  # (N, 2, 3): head frame to image
        places = np.zeros((n, count, 3), np.float32)
        turned: list[Floats] = []
        for p, base in zip(self._parts, bases, strict=True):
            lp = len(p.points)
            q = base + (linear @ p.linear.reshape(len(p.linear), -1)).reshape(n, lp, 3)
            if p.joint:
                pivot = p.mass[:, None] * joints[:, p.joint, None]
                arm = (q - pivot) @ np.swapaxes(local[:, p.joint - 2], 1, 2)
                turned.append(arm)
                places[:, p.points] += arm + pivot
            else:
                turned.append(q)
                places[:, p.points] += q
        root = joints[:, :1]
        arm_root = places - root  # lever from the root joint
        rotated = arm_root @ np.swapaxes(head, 1, 2)  # (N, L, 3)
        flat = (rotated[..., :2] + root[..., :2]) * (scale[:, None, None] * flip)  # (N, L, 2)
        points = np.swapaxes(flat + x[:, None, 4:6], 1, 2)
        if not jacobian:
            return points, None, None

        whole = self._parts[0]
        out = (image.reshape(-1, 3) @ whole.slopes).reshape(n, 2, len(whole.points), layout.size)
        if len(whole.points) < count:
            out, some = np.zeros((n, 2, count, layout.size), np.float32), out
            out[:, :, whole.points] = some
        follow = len(self._features)
        followers = np.zeros((n, 2, count, follow), np.float32)
        for slot, p in enumerate(self._parts):
            turn = (image @ local[:, p.joint - 2] if p.joint else image).reshape(-1, 3)
            if follow:
                followers[:, :, p.points] += (turn @ p.corrective_slopes).reshape(n, 2, len(p.points), follow)
            if not p.joint:
                continue
            if follows:  # the pivot moves what turns less than what does not
                shift = (image - turn.reshape(n, 2, 3)) @ self._joint_expression[:, p.joint].T  # (N, 2, E)
                out[:, :, p.points, layout["expression"]] += p.mass[:, None] * shift[:, :, None]
            out[:, :, p.points] += (turn @ p.slopes).reshape(n, 2, len(p.points), layout.size)
            block, width = _PARTS[p.joint - 2]
            spin = left_jacobian(rotvecs[:, p.joint - 2])
            arms = _cross(np.swapaxes(spin, 1, 2)[:, None, :width], turned[slot][:, :, None, :])  # (N, Lp, w, 3)
            moved = arms.reshape(n, -1, 3) @ np.swapaxes(image, 1, 2)  # (N, Lp w, 2)
            out[:, :, p.points, block] += np.transpose(moved.reshape(n, -1, width, 2), (0, 3, 1, 2))
        if follows:
            still = (scale[:, None] * flip)[..., None] * np.eye(2, 3, dtype=np.float32)
            out[..., layout["expression"]] += ((still - image) @ self._joint_expression[:, 0].T)[:, :, None]
        spin = left_jacobian(x[:, 0:3])  # (N, 3, 3)
        sweep = _cross(np.swapaxes(spin, 1, 2)[:, None], rotated[:, :, None, :])  # (N, L, 3 directions, 3)
        out[..., 0:3] = np.transpose(sweep[..., :2] * (scale[:, None, None, None] * flip), (0, 3, 1, 2))
        out[..., 3] = np.swapaxes(flat, 1, 2)
        out[:, 0, :, 4] = 1.0
        out[:, 1, :, 5] = 1.0
        if follow:
            # Correctives follow the joints' rotations and the lids, so their slopes belong to those.
            moved = (followers.reshape(n, -1, follow) @ feature_slopes).reshape(n, 2, count, 9)
            out[..., 6:13] += moved[..., :7]
            out[..., layout["eyelids"]] += moved[..., 7:]
        by_identity = self._identity_slopes(image, local, scale, flip) if with_identity else None
        return points, out, by_identity

    def _pose_features(self, rotvecs: Floats, local: Floats, eyelids: Floats, slopes: bool) -> tuple[Floats, Floats]:
        """The used features (N, C) and their derivatives by jaw (3), gaze (2 + 2) and lids (2) (N, C, 9)."""
        n, count = len(rotvecs), len(self._features)
        joint, element = self._features // 9, self._features % 9  # joint 0 is the neck, at rest
        full = np.concatenate(
            [np.zeros((n, 1, 9), np.float32), (local - np.eye(3, dtype=np.float32)).reshape(n, 3, 9)], 1
        )
        lids = lid_features(eyelids, full.reshape(n, -1))
        # The lids' features are called as if of a sixth joint.
        full = np.concatenate([full, np.pad(lids, ((0, 0), (0, 5)))[:, None]], axis=1)
        feature = full[:, joint, element]
        out = np.zeros((n, count, 9), np.float32)
        if slopes and count:
            spin = left_jacobian(rotvecs)  # (N, 3, 3, 3)
            turn = _skew(np.swapaxes(spin, 2, 3)) @ local[:, :, None]  # (N, 3 joints, 3 directions, 3, 3)
            turn = turn.reshape(n, 3, 3, 9)
            for slot, first, width in ((0, 0, 3), (1, 3, 2), (2, 5, 2)):
                rows = np.flatnonzero(joint == slot + 1)
                for d in range(width):
                    out[:, rows, first + d] = turn[:, slot, d][:, element[rows]]
            closure = np.clip(eyelids, 0, 1)
            free = closure == eyelids  # beyond, nothing changes any more
            for column in np.flatnonzero(joint == 4):
                side, down = divmod(int(element[column]), 2)
                if down:
                    out[:, column, 7 + side] = free[:, side] * full[:, 2 + side, 7]
                    for d in range(2):
                        out[:, column, 3 + 2 * side + d] = closure[:, side] * turn[:, 1 + side, d, 7]
                else:
                    out[:, column, 7 + side] = free[:, side] * (1 - 2 * closure[:, side])
        return feature, out

    def _identity_slopes(self, image: Floats, local: Floats, scale: Floats, flip: Floats) -> Floats:
        """d points / d identity (N, 2, L, K); joints move with identity too."""
        n, k = len(image), self.identity_size
        out = np.zeros((n, 2, self.count, k), np.float32)
        joints = self._joint_identity.astype(np.float32)  # (K, J, 3)
        for p in self._parts:
            basis = np.transpose(p.identity, (2, 1, 0))  # (3, Lp, K)
            if p.joint:
                pivot = joints[:, p.joint].T  # (3, K)
                centred = np.ascontiguousarray(basis - p.mass[:, None] * pivot[:, None, :])
                part = (image @ local[:, p.joint - 2]).reshape(-1, 3) @ centred.reshape(3, -1)
                part = part.reshape(n, 2, len(p.points), k)
                part += (image.reshape(-1, 3) @ pivot).reshape(n, 2, 1, k) * p.mass[:, None]
            else:
                part = image.reshape(-1, 3) @ np.ascontiguousarray(basis).reshape(3, -1)
                part = part.reshape(n, 2, len(p.points), k)
            out[:, :, p.points] += part
        root = joints[:, 0].T  # (3, K)
        out -= (image.reshape(-1, 3) @ root).reshape(n, 2, 1, k)
        out += ((scale[:, None] * flip)[..., None] * root[None, :2])[:, :, None, :]
        return out
