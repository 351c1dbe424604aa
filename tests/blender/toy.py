# SPDX-License-Identifier: Apache-2.0
"""A small head of random numbers: every term of the decode is in it, and nothing is symmetric or small by luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take, TakeInfo

__all__ = ["toy_groups", "toy_head", "toy_take"]

Floats = npt.NDArray[np.floating[Any]]
_NAMES = ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawForward", "mouthPucker", "cheekPuff")


def _sphere(rings: int, segments: int) -> tuple[Floats, npt.NDArray[np.int32]]:
    """A closed sphere of radius 0.1 m: quads with triangles at the poles."""
    theta = np.pi * np.arange(1, rings) / rings
    phi = 2 * np.pi * np.arange(segments) / segments
    t, p = np.meshgrid(theta, phi, indexing="ij")
    body = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], axis=-1).reshape(-1, 3)
    vertices = 0.1 * np.concatenate([body, [[0, 1, 0], [0, -1, 0]]])
    index = np.arange(len(body)).reshape(rings - 1, segments)
    after = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], index[1:], after[1:], after[:-1]], axis=-1).reshape(-1, 4)
    top = np.stack([np.full(segments, len(body)), index[0], after[0], np.full(segments, -1)], axis=-1)
    bottom = np.stack([np.full(segments, len(body) + 1), after[-1], index[-1], np.full(segments, -1)], axis=-1)
    return vertices, np.concatenate([quads, top, bottom]).astype(np.int32)


def toy_head(seed: int = 0, **changes: Any) -> HeadModel:
    """A head of 134 vertices with five joints, six expressions, four identity components and twelve correctives."""
    rng = np.random.default_rng(seed)
    template, polygons = _sphere(12, 12)
    count = len(template)
    uvs = rng.random((count, 2))
    features = np.sort(rng.choice(36, 12, replace=False)).astype(np.int32)
    fields: dict[str, Any] = {
        "name": "toy-1",
        "digest": "0123456789abcdef",
        "template": template.astype(np.float32),
        "polygons": polygons,
        "identity_basis": (0.004 * rng.standard_normal((4, count, 3))).astype(np.float32),
        "expression_basis": (0.02 * rng.standard_normal((len(_NAMES), count, 3))).astype(np.float32),
        "expression_names": _NAMES,
        "eyelid_basis": (0.01 * rng.standard_normal((2, count, 3))).astype(np.float32),
        "corrective_basis": (0.02 * rng.standard_normal((12, count, 3))).astype(np.float32),
        "corrective_features": features,
        "joint_names": ("root", "neck", "jaw", "left_eye", "right_eye"),
        "joint_parents": (-1, 0, 1, 1, 1),
        "joint_regressor": rng.dirichlet(np.full(count, 0.02), 5).astype(np.float32),
        "skinning_weights": rng.dirichlet(np.full(5, 0.3), count).astype(np.float32),
        "uvs": uvs.astype(np.float32),
        "polygon_uvs": polygons,
        "polygon_materials": (np.arange(len(polygons)) % 3).astype(np.int32),
        "material_names": ("skin", "eye_white", "teeth"),
        "regions": {},
        "landmarks": {},
        "angles": {
            "jawOpen": 0.35, "jawLeft": 0.1,
            "eyeLookUp": 0.4, "eyeLookDown": 0.4, "eyeLookIn": 0.5, "eyeLookOut": 0.6,
        },
    }  # fmt: skip
    return HeadModel(**(fields | changes))


def toy_groups(model: HeadModel, count: int, seed: int = 1, *, smooth: bool = False) -> dict[str, Floats]:
    """All moving groups of ``count`` frames within their ranges; ``smooth`` draws a walk instead of noise."""
    rng = np.random.default_rng(seed)

    def draw(size: int, low: float, high: float) -> Floats:
        values = rng.uniform(-1, 1, (count, size))
        if smooth:
            values = np.tanh(np.cumsum(0.15 * values, axis=0))
        return low + (values + 1) / 2 * (high - low)

    low, high = model.expression_range
    camera = np.concatenate([draw(1, 900, 1400), draw(1, 250, 400), draw(1, 150, 330)], axis=1)
    return {
        "expression": draw(model.expression_size, low, high),
        "eyelids": draw(2, 0, 1),
        "jaw": draw(3, -0.5, 0.5),
        "rotation": draw(3, -1.2, 1.2),
        "neck": draw(3, -0.7, 0.7),
        "eyes": draw(4, -0.6, 0.6),
        "camera": camera,
        "confidence": np.ones((count, 1)),
        "visibility": np.ones((count, 1)),
    }


def toy_take(
    model: HeadModel,
    count: int = 50,
    seed: int = 1,
    *,
    smooth: bool = False,
    times: Floats | None = None,
    info: Mapping[str, Any] | None = None,
) -> Take:
    """A take for ``model``; times are uniform at the rate of ``info`` (25) where not given."""
    header: dict[str, Any] = {
        "width": 640,
        "height": 480,
        "rate": 25.0,
        "head": model.name,
        "head_digest": model.digest,
    }
    header |= info or {}
    groups = toy_groups(model, count, seed, smooth=smooth)
    identity = np.random.default_rng(seed + 1000).standard_normal(min(30, model.identity_size))
    stamps = np.arange(count) / (header["rate"] or 25.0) if times is None else np.asarray(times)
    return Take(TakeInfo(**header), stamps, identity, groups, groups)
