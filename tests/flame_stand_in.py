# SPDX-License-Identifier: Apache-2.0
"""A stand-in for FLAME in the official file formats, made from the bundled head: nothing of FLAME's is in it.

It has FLAME's sizes (5023 vertices, 9976 triangles, 300 + 100 shapes, 36 correctives, 5 joints) and looks like a head,
so that real footage can be solved on it. Its pickle is written as Python 2 with chumpy and an old SciPy would have.
The first coefficients are the bundled head's shapes, the others smooth random fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from old_pickles import Chumpy, OldCsc, Py2Pickle, Tensor, object_npy
from scipy.spatial import cKDTree

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.heads.library import load_head

VERTICES, TRIANGLES = 5023, 9976
COLUMNS, RINGS, SPLIT = 60, 65, 30  # 1 + 60 * 65 + 30 = 3931 vertices; 60 + 64 * 120 + 2 * 30 = 7800 triangles
BALL_COLUMNS, BALL_RINGS = 32, 17  # 2 + 32 * 17 = 546 vertices, 1088 triangles, twice
CENTRE = np.array([0.0, 0.0, -0.025])  # metres: the skin is cast from here
TILT = np.radians(25.0)  # the pole of the skin leans forward, the open ring at the neck backward


def grid_faces(columns: int, rings: int, *, closed: bool) -> np.ndarray:
    """(F, 3) triangles of a pole, ``rings`` rings and, if closed, another pole, counter-clockwise from outside."""
    ring = 1 + np.arange(rings)[:, None] * columns + np.arange(columns)
    turned = np.roll(ring, -1, axis=1)
    top = np.stack([np.zeros(columns, int), ring[0], turned[0]], axis=1)
    a, b, c, d = ring[:-1], turned[:-1], ring[1:], turned[1:]
    parts = [top, np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)]
    if closed:
        parts.append(np.stack([np.full(columns, 1 + rings * columns), turned[-1], ring[-1]], axis=1))
    return np.concatenate(parts)


def directions(polar: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(1 + rings * columns, 3) unit vectors: the pole +z, then rings counter-clockwise about it from +x."""
    p, a = np.meshgrid(polar, around, indexing="ij")
    rings = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], axis=-1)
    return np.concatenate([[[0.0, 0.0, 1.0]], rings.reshape(-1, 3)])


@dataclass(frozen=True)
class Blend:
    """Points as mixtures of a head's vertices: (N, 3) indices and weights."""

    index: np.ndarray
    weight: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """(..., V, C) values at vertices to (..., N, C)."""
        return sum(values[..., self.index[:, k], :] * self.weight[:, k, None] for k in range(3))


def cast(head: HeadModel, rays: np.ndarray) -> Blend:
    """Where rays from CENTRE leave the head's skin for the last time."""
    triangles = head.triangles[head.triangle_region("skin")]
    corners = head.template[triangles].astype(float) - CENTRE
    middle = corners.mean(axis=1)
    near = cKDTree(middle / np.linalg.norm(middle, axis=1, keepdims=True)).query(rays, 128)[1]
    # ray = sum_k found_k corner_k, by Cramer's rule
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    cofactors /= (a * cofactors[:, 0]).sum(axis=-1)[:, None, None]
    found = np.einsum("nkcx,nx->nkc", cofactors[near], rays)
    share = found / found.sum(axis=-1, keepdims=True)
    distance = 1 / found.sum(axis=-1)
    inside = (share.min(axis=-1) > -1e-6) & (distance > 0)
    best = np.argmax(np.where(inside, distance, -1), axis=1)
    rows = np.arange(len(rays))
    weight = np.where(inside.any(axis=1)[:, None], share[rows, best], 1 / 3)
    return Blend(triangles[near[rows, np.where(inside.any(axis=1), best, 0)]], np.clip(weight, 0, 1))


def closest(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (N,) and barycentric weights (N, 3) nearest to points, among the dozen nearest triangles."""
    corners = vertices[faces]
    near = cKDTree(corners.mean(axis=1)).query(points, 12)[1]
    a, b, c = (corners[near][..., k, :] for k in range(3))
    u, v, w = b - a, c - a, points[:, None] - a
    uu, uv, vv, wu, wv = ((x * y).sum(-1) for x, y in ((u, u), (u, v), (v, v), (w, u), (w, v)))
    scale = np.maximum(uu * vv - uv * uv, 1e-18)
    s, t = (vv * wu - uv * wv) / scale, (uu * wv - uv * wu) / scale
    weights = np.clip(np.stack([1 - s - t, s, t], axis=-1), 0, None)
    weights /= weights.sum(-1, keepdims=True)
    gap = np.linalg.norm((corners[near] * weights[..., None]).sum(-2) - points[:, None], axis=-1)
    best, rows = gap.argmin(axis=1), np.arange(len(points))
    return near[rows, best], weights[rows, best]


class StandIn:
    """The arrays of the stand-in, FLAME's names and layout; float64 as in FLAME's files."""

    def __init__(self, head: HeadModel | None = None, seed: int = 2020) -> None:
        head = load_head() if head is None else head
        rng = np.random.default_rng(seed)
        around = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
        polar = np.radians(np.linspace(0, 144, RINGS + 1)[1:])
        c, s = np.cos(TILT), np.sin(TILT)
        frame = np.array([[0, -s, c], [1, 0, 0], [0, c, s]])  # rows: forward, the subject's left, the pole
        blend = cast(head, directions(polar, around - 0.55 * np.sin(around)) @ frame)
        faces = grid_faces(COLUMNS, RINGS, closed=False)
        blend, faces = self._split(blend, faces, rng)
        skin = len(blend.index)

        ball = directions(np.pi * np.arange(1, BALL_RINGS + 1) / (BALL_RINGS + 1), np.linspace(0, 2 * np.pi, 33)[:-1])
        ball = np.concatenate([ball, [[0.0, 0.0, -1.0]]])
        eyes = (head.joint_regressor @ head.template)[3:5].astype(float)
        radius = np.linalg.norm(head.template[head.regions["left_eyeball"]] - eyes[0], axis=1).mean()
        ball_faces = grid_faces(BALL_COLUMNS, BALL_RINGS, closed=True)
        self.f = np.concatenate([faces, ball_faces + skin, ball_faces + skin + len(ball)]).astype(np.uint32)
        self.v_template = np.concatenate(
            [blend.of(head.template.astype(float)), eyes[0] + radius * ball, eyes[1] + radius * ball]
        )
        self._balls = [slice(skin, skin + len(ball)), slice(skin + len(ball), None)]
        self._sides = [head.regions["left_eyeball"], head.regions["right_eyeball"]]
        self._head, self._blend, self._skin = head, blend, skin

        identity, expression = self._resampled(head.identity_basis), 0.35 * self._resampled(head.expression_basis)
        more = self._fields(rng, 400 - len(identity) - len(expression))
        columns = np.concatenate([identity, more[: 300 - len(identity)], expression, more[300 - len(identity) :]])
        self.shapedirs = np.ascontiguousarray(columns.transpose(1, 2, 0))
        correctives = 0.2 * self._fields(rng, 36)
        turns = head.corrective_features < len(correctives)  # FLAME knows joints, not what lids do beside them
        correctives[head.corrective_features[turns]] += self._resampled(head.corrective_basis[turns])
        self.posedirs = np.ascontiguousarray(correctives.transpose(1, 2, 0))
        weights = np.zeros((len(self.v_template), 5))
        weights[:skin] = blend.of(head.skinning_weights.astype(float))
        weights[:skin] /= weights[:skin].sum(axis=1, keepdims=True)
        weights[self._balls[0], 3] = weights[self._balls[1], 4] = 1
        self.weights = weights
        self.J_regressor = self._regressor((head.joint_regressor @ head.template)[:3].astype(float))
        self.kintree_table = np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32)
        self.eyelids = self._resampled(head.eyelid_basis)
        assert self.v_template.shape == (VERTICES, 3) and self.f.shape == (TRIANGLES, 3)

    @staticmethod
    def _split(blend: Blend, faces: np.ndarray, rng: np.random.Generator) -> tuple[Blend, np.ndarray]:
        """A vertex into the middle of SPLIT triangles, to meet FLAME's numbers."""
        chosen = np.sort(rng.choice(np.arange(len(faces) // 2, len(faces) // 2 + 400), SPLIT, replace=False))
        new = len(blend.index) + np.arange(SPLIT)
        first = faces[chosen]
        index, weight = blend.index[first[:, 0]], blend.weight[first[:, 0]]
        for k in (1, 2):  # a mixture of three corners of the head's mesh is enough: take the largest shares
            index = np.concatenate([index, blend.index[first[:, k]]], axis=1)
            weight = np.concatenate([weight, blend.weight[first[:, k]]], axis=1)
        best = np.stack([3 * k + blend.weight[first[:, k]].argmax(axis=1) for k in range(3)], axis=1)
        index = np.take_along_axis(index, best, axis=1)
        a, b, c = first.T
        faces = faces.copy()
        faces[chosen] = np.stack([a, b, new], axis=1)
        faces = np.concatenate([faces, np.stack([b, c, new], axis=1), np.stack([c, a, new], axis=1)])
        return Blend(
            np.concatenate([blend.index, index]), np.concatenate([blend.weight, np.full((SPLIT, 3), 1 / 3)])
        ), faces

    def _resampled(self, basis: np.ndarray) -> np.ndarray:
        """(K, V of the head, 3) to (K, 5023, 3); eyeballs move as a whole."""
        out = np.zeros((len(basis), len(self.v_template), 3))
        out[:, : self._skin] = self._blend.of(basis.astype(float))
        for rows, side in zip(self._balls, self._sides, strict=True):
            out[:, rows] = basis[:, side].mean(axis=1, keepdims=True)
        return out

    def _fields(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, 5023, 3) smooth random offsets, half a millimetre strong at most."""
        wave = rng.normal(0, 25, (count, 3))
        phase = np.sin(wave @ self.v_template.T + rng.uniform(0, 6, (count, 1)))
        return (
            0.0005
            * np.exp(-np.arange(count) / count)[:, None, None]
            * phase[..., None]
            * rng.normal(0, 0.5, (count, 1, 3))
        )

    def _regressor(self, joints: np.ndarray) -> np.ndarray:
        """(5, V): joints inside the head from the vertices around them, eyes from their balls."""
        dense = np.zeros((5, len(self.v_template)))
        tree = cKDTree(self.v_template[: self._skin])
        for row, joint in enumerate(joints):
            near = np.sort(tree.query(joint, 120)[1])
            conditions = np.concatenate([self.v_template[near].T, np.ones((1, len(near)))])
            dense[row, near] = np.linalg.lstsq(conditions, np.array([*joint, 1.0]), rcond=None)[0]
        for row, rows in zip((3, 4), self._balls, strict=True):
            dense[row, rows] = 1 / (1 + 1 + BALL_COLUMNS * BALL_RINGS)
        return dense

    def table(self) -> dict[str, object]:
        """What the official pickle holds, in its types."""
        return {
            "f": self.f, "J_regressor": OldCsc(self.J_regressor), "kintree_table": self.kintree_table,
            "J": self.J_regressor @ self.v_template, "weights": self.weights, "posedirs": self.posedirs,
            "bs_style": "lbs", "v_template": self.v_template, "shapedirs": Chumpy(self.shapedirs),
            "bs_type": "lrotmin",
        }  # fmt: skip

    def embed(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triangles and weights of the skin nearest to points (N, 3)."""
        count = TRIANGLES - 2 * (2 * BALL_COLUMNS * BALL_RINGS)
        return closest(self.v_template, self.f[:count].astype(int), points)

    def places(self, name: str) -> np.ndarray:
        """(L, 3) where the bundled head has its landmarks."""
        embedding = self._head.landmarks[name]
        corners = self._head.template[self._head.triangles[embedding.triangles]]
        return (corners * embedding.barycentric[..., None]).sum(axis=1).astype(float)

    def masks(self) -> dict[str, np.ndarray]:
        """FLAME's regions, as far as the bundled head knows them."""
        near = np.take_along_axis(self._blend.index, self._blend.weight.argmax(axis=1)[:, None], axis=1)[:, 0]
        left = self.v_template[: self._skin, 0] > 0
        here = {name: region[near] for name, region in self._head.regions.items()}
        masks = {name: here[name] for name in ("neck", "forehead", "lips", "nose", "scalp", "face")}
        masks |= {"eye_region": here["eyes"], "left_ear": here["ears"] & left, "right_ear": here["ears"] & ~left}
        masks |= {"left_eye_region": here["eyes"] & left, "right_eye_region": here["eyes"] & ~left}
        rows = {name: np.flatnonzero(mask) for name, mask in masks.items()}
        rows["boundary"] = 1 + COLUMNS * (RINGS - 1) + np.arange(COLUMNS)
        for name, ball in zip(("left_eyeball", "right_eyeball"), self._balls, strict=True):
            rows[name] = np.arange(VERTICES)[ball]
        return rows

    def obj(self) -> str:
        """head_template.obj: faces and texture coordinates of a cylinder about the head, a seam at the back."""
        arm = self.v_template[self.f.astype(int)] - CENTRE
        u = np.arctan2(arm[..., 0], arm[..., 2]) / (2 * np.pi) + 0.5
        u += (u.max(axis=1, keepdims=True) - u > 0.5) * 1.0
        v = (self.v_template[self.f.astype(int), 1] + 0.2) / 0.4
        uvs, index = np.unique(np.round(np.stack([u / 1.5, v], axis=-1).reshape(-1, 2), 6), axis=0, return_inverse=True)
        corners = np.stack([self.f.astype(int).ravel(), index.ravel()], axis=1).reshape(-1, 6) + 1
        rows = (self.v_template, "v %.6f %.6f %.6f\n"), (uvs, "vt %.6f %.6f\n"), (corners, "f %d/%d %d/%d %d/%d\n")
        return "".join(line * len(a) % tuple(a.ravel().tolist()) for a, line in rows)


def write_flame(path: Path, stand_in: StandIn) -> Path:
    """The model alone."""
    pickle = Py2Pickle()
    pickle.value(stand_in.table())
    path.write_bytes(pickle.finish())
    return path


def write_assets(folder: Path, stand_in: StandIn) -> Path:
    """The official repository's assets folder without FLAME: lids, landmarks, regions, texture coordinates."""
    (folder / "mediapipe_landmark_embedding").mkdir(parents=True)
    (folder / "FLAME_masks").mkdir()
    for name, offsets in zip(("l_eyelid", "r_eyelid"), stand_in.eyelids, strict=True):
        np.save(folder / f"{name}.npy", offsets)
    triangles, weights = stand_in.embed(stand_in.places("mediapipe_105"))
    np.savez(
        folder / "mediapipe_landmark_embedding" / "mediapipe_landmark_embedding.npz",
        lmk_face_idx=triangles.astype(np.uint32), lmk_b_coords=weights, landmark_indices=np.array(MEDIAPIPE_105),
    )  # fmt: skip
    fan = stand_in.places("ibug_68")
    full, contour = stand_in.embed(fan), []
    for yaw in np.radians([*range(40), *range(-1, -40, -1)]):  # the outline wanders over the cheek that turns away
        arm = fan[:17] - CENTRE
        c, s = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
        contour.append(arm @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) + CENTRE)
    dynamic = stand_in.embed(np.concatenate(contour))
    table = {
        "static_lmk_faces_idx": full[0][17:], "static_lmk_bary_coords": full[1][17:],
        "dynamic_lmk_faces_idx": Tensor(dynamic[0].reshape(79, 17)),
        "dynamic_lmk_bary_coords": Tensor(dynamic[1].reshape(79, 17, 3).astype(np.float32)),
        "full_lmk_faces_idx": full[0][None], "full_lmk_bary_coords": full[1][None].astype(np.float32),
    }  # fmt: skip
    (folder / "landmark_embedding.npy").write_bytes(object_npy(table))
    masks = Py2Pickle()
    masks.value(stand_in.masks())
    (folder / "FLAME_masks" / "FLAME_masks.pkl").write_bytes(masks.finish())
    (folder / "head_template.obj").write_text(stand_in.obj(), encoding="utf-8")
    return folder


def write_all(folder: Path) -> Path:
    """``folder`` laid out as the official assets folder, with the model as ``FLAME2020/generic_model.pkl``."""
    stand_in = StandIn()
    write_assets(folder, stand_in)
    (folder / "FLAME2020").mkdir()
    return write_flame(folder / "FLAME2020" / "generic_model.pkl", stand_in)
