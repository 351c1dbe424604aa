# SPDX-License-Identifier: Apache-2.0
"""A small random head that has everything a real one has, and takes of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding
from smirk_core.heads.parameters import ARKIT_NAMES, frame_groups
from smirk_core.take import Take, TakeInfo

JOINT_DRIVEN = ("eyeBlink", "eyeLook", "jawOpen", "jawLeft", "jawRight")
ANGLES = {
    "jawOpen": 0.36, "jawLeft": 0.12,
    "eyeLookUp": 0.35, "eyeLookDown": 0.45, "eyeLookIn": 0.5, "eyeLookOut": 0.55,
}  # fmt: skip


def make_toy_head(seed: int = 7) -> HeadModel:
    """A 6 x 5 vertex sheet, bent like a face, with random bases; quads but for one row of triangles."""
    rng = np.random.default_rng(seed)
    columns, rows = 6, 5
    u, v = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    template = np.stack([0.08 * u, 0.1 * v, 0.05 * (1 - u**2)], axis=-1).reshape(-1, 3)
    count = len(template)
    polygons = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            a = row * columns + column
            quad = [a, a + 1, a + columns + 1, a + columns]
            polygons += [quad] if row else [[*quad[:3], -1], [quad[0], quad[2], quad[3], -1]]
    polygons = np.array(polygons, np.int32)
    names = tuple(n for n in ARKIT_NAMES if not n.startswith(JOINT_DRIVEN))
    weights = rng.random((count, 5)) ** 3
    regressor = rng.random((5, count)) ** 4
    triangles = len(polygons) + int((polygons[:, 3] >= 0).sum())
    landmarks = {}
    for name, size in (("mediapipe_478", 478), ("mediapipe_105", 105), ("ibug_68", 68)):
        barycentric = rng.dirichlet((1, 1, 1), size)
        trust = rng.uniform(0.5, 1.5, size)
        landmarks[name] = LandmarkEmbedding(
            rng.integers(0, triangles, size).astype(np.int32),
            barycentric.astype(np.float32),
            (trust / trust.mean()).astype(np.float32),
        )
    return HeadModel(
        name="toy-1",
        digest=f"toy{seed}",
        template=template.astype(np.float32),
        polygons=polygons,
        identity_basis=(0.003 * rng.normal(size=(6, count, 3))).astype(np.float32),
        expression_basis=(0.004 * rng.normal(size=(len(names), count, 3))).astype(np.float32),
        expression_names=names,
        eyelid_basis=(0.003 * rng.normal(size=(2, count, 3))).astype(np.float32),
        corrective_basis=(0.002 * rng.normal(size=(3, count, 3))).astype(np.float32),
        corrective_features=np.array([13, 14, 9], np.int32),
        joint_names=("root", "neck", "jaw", "left_eye", "right_eye"),
        joint_parents=(-1, 0, 1, 1, 1),
        joint_regressor=(regressor / regressor.sum(axis=1, keepdims=True)).astype(np.float32),
        skinning_weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
        uvs=np.stack([(u + 1) / 2, (v + 1) / 2], axis=-1).reshape(-1, 2).astype(np.float32),
        polygon_uvs=polygons.copy(),
        polygon_materials=(np.arange(len(polygons)) % 2).astype(np.int32),
        material_names=("skin", "lips"),
        regions={"lips": template[:, 1] < -0.04, "face": np.ones(count, bool)},
        landmarks=landmarks,
        angles=ANGLES,
    )


def save_head(head: HeadModel, path: Path) -> Path:
    """Write a head in the open head's file format."""
    arrays = {
        f.name: getattr(head, f.name) for f in dataclasses.fields(head) if isinstance(getattr(head, f.name), np.ndarray)
    }
    arrays |= {f"region/{k}": v for k, v in head.regions.items()}
    for name, embedding in head.landmarks.items():
        arrays |= {f"landmark/{name}/{f.name}": getattr(embedding, f.name) for f in dataclasses.fields(embedding)}
    texts = ("name", "digest", "expression_names", "joint_names", "joint_parents", "material_names", "angles")
    header = json.dumps({k: getattr(head, k) for k in texts})
    np.savez(path, header=np.array(header), **arrays)
    return path


def random_groups(head: HeadModel, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Every per-frame group with lively values inside its range, and an identity."""
    rng = np.random.default_rng(seed)
    groups = {k: rng.uniform(-0.4, 0.4, (count, size)) for k, size in frame_groups(head.expression_size).items()}
    for name in ("expression", "eyelids", "confidence", "visibility"):
        groups[name] = rng.uniform(0, 1, groups[name].shape)
    groups["camera"] = np.array([900.0, 320.0, 240.0]) + rng.normal(size=(count, 3))
    groups["identity"] = rng.normal(size=(count, head.identity_size))
    return groups


def make_take(head: HeadModel, count: int = 30, seed: int = 0, rate: float = 25.0) -> Take:
    """A take of smooth random motion of ``head``."""
    rng = np.random.default_rng(seed)
    times = np.arange(count) / rate
    groups = random_groups(head, count, seed)
    for name, values in groups.items():
        if name in ("expression", "eyelids"):
            phase, pace = rng.uniform(0, 6, values.shape[1]), rng.uniform(0.2, 1.0, values.shape[1])
            groups[name] = 0.5 + 0.5 * np.sin(2 * np.pi * pace * times[:, None] + phase)
        elif name in ("rotation", "neck", "jaw", "eyes"):
            phase = rng.uniform(0, 6, values.shape[1])
            groups[name] = 0.3 * np.sin(2 * np.pi * 0.4 * times[:, None] + phase)
    groups["visibility"] = np.ones((count, 1))
    identity = groups.pop("identity")[0]
    info = TakeInfo(
        source="clip.mp4", rate=rate, width=640, height=480, head=head.name, head_digest=head.digest, software="test"
    )
    return Take(info, times, identity, groups, groups)
