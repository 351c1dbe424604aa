# SPDX-License-Identifier: Apache-2.0
"""What an encoder of ours says beyond SMIRK's six outputs: additions to the checkpoint, never changes to it.

One more linear layer stands on the features of the expression network: gaze, places of several hundred points of the
head's skin with their uncertainty, the uncertainty of every expression, and how much of each region is to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel, LandmarkEmbedding

__all__ = [
    "DENSE_POINTS",
    "EXTRA_LAYER",
    "REGIONS",
    "ExtraOutput",
    "dense_points",
    "extra_outputs",
    "points_of",
    "region_masks",
    "vertex_embedding",
]

DENSE_POINTS = 320
REGIONS = ("brows", "left eye", "right eye", "nose", "mouth", "jaw")
_FINE = {"nose": 1.5, "brows": 2.0, "lips": 2.5, "eyes": 3.0}  # how much denser than cheeks
EXTRA_LAYER = "expression_encoder.extra_layers.0"  # .weight (rows, 960), .bias (rows,)


@dataclass(frozen=True, slots=True)
class ExtraOutput:
    """Rows of the extra layer that make one output.

    Attributes:
        name: of the output.
        rows: (first, one after the last).
        kind: "linear", "exp" (an uncertainty, from its logarithm) or "sigmoid" (a share).
    """

    name: str
    rows: tuple[int, int]
    kind: str = "linear"

    @property
    def size(self) -> int:
        return self.rows[1] - self.rows[0]


def extra_outputs(n_exp: int, points: int = DENSE_POINTS) -> tuple[ExtraOutput, ...]:
    """The additions of an encoder with ``n_exp`` expressions.

    ``gaze_params`` (N, 4) radians, left and right (pitch, yaw); ``sigma_params`` (N, n_exp + 9) standard deviations of
    expression, lids, jaw and gaze in their own units; ``points`` (N, 2 P) crop coordinates x, y of
    :func:`dense_points`; ``point_sigma`` (N, P) of each; ``region_visibility`` (N, 6) shares of :data:`REGIONS`.
    """
    sizes = {
        "gaze_params": (4, "linear"), "sigma_params": (n_exp + 9, "exp"), "points": (2 * points, "linear"),
        "point_sigma": (points, "exp"), "region_visibility": (len(REGIONS), "sigmoid"),
    }  # fmt: skip
    edges = list(accumulate((size for size, _ in sizes.values()), initial=0))
    return tuple(
        ExtraOutput(name, rows, kind)
        for (name, (_, kind)), rows in zip(sizes.items(), pairwise(edges), strict=True)
    )  # fmt: skip


def points_of(rows: int, n_exp: int) -> int:
    """How many dense points an extra layer with ``rows`` outputs has.

    Raises:
        ValueError: no such layer has that many.
    """
    points, rest = divmod(rows - (n_exp + 13 + len(REGIONS)), 3)
    if rest or points < 0:
        raise ValueError(f"{rows} outputs cannot be those of {n_exp} expressions")
    return points


def dense_points(model: HeadModel, count: int = DENSE_POINTS) -> npt.NDArray[np.int64]:
    """(count,) vertices of the face's skin: the first one by its number, each next the one furthest from those before.

    Distances are measured on the mean head, and count more where a face says more. The choice depends on the skin's
    template, regions and order alone.
    """
    names = np.array(model.material_names)[model.polygon_materials]
    skin = np.zeros(len(model.template), bool)
    skin[np.unique(model.polygons[np.isin(names, ("skin", "lips"))])] = True
    hidden = np.zeros_like(skin)
    for region in ("mouth_interior", "sockets", "ears", "neck", "scalp"):
        if region in model.regions:
            hidden |= model.regions[region]
    face = np.flatnonzero(model.regions["face"] & skin & ~hidden)
    at = model.template[face].astype(np.float64)
    fine = np.ones(len(face))
    for region, factor in _FINE.items():
        fine[model.regions[region][face]] = factor
    chosen = np.zeros(count, np.int64)
    chosen[0] = 0
    far: npt.NDArray[Any] = np.linalg.norm(at - at[0], axis=1) * fine
    for k in range(1, count):
        chosen[k] = int(far.argmax())
        far = np.minimum(far, np.linalg.norm(at - at[chosen[k]], axis=1) * fine)
    return np.sort(face[chosen])


def region_masks(model: HeadModel) -> npt.NDArray[np.bool_]:
    """(R, V) which vertices belong to each of :data:`REGIONS`; most belong to none."""
    at = model.template
    named = {n: model.regions[n] for n in ("brows", "eyes", "nose", "lips")}
    chin = model.regions["face"] & (at[:, 1] < at[named["lips"], 1].mean() - 0.012) & ~named["lips"]
    left = at[:, 0] > 0
    rows = {
        "brows": named["brows"], "left eye": named["eyes"] & left, "right eye": named["eyes"] & ~left,
        "nose": named["nose"], "mouth": named["lips"], "jaw": chin,
    }  # fmt: skip
    return np.stack([rows[n] for n in REGIONS])


def vertex_embedding(model: HeadModel, vertices: npt.NDArray[Any]) -> LandmarkEmbedding:
    """Vertices (P,) as landmarks: a corner of some triangle each, all of the same trust."""
    first = np.full(len(model.template), -1)
    corner = np.zeros(len(model.template), np.int64)
    for k in range(3):
        first[model.triangles[::-1, k]] = np.arange(len(model.triangles))[::-1]
        corner[model.triangles[::-1, k]] = k
    one_hot = np.eye(3, dtype=np.float32)[corner[vertices]]
    return LandmarkEmbedding(first[vertices].astype(np.int32), one_hot, np.ones(len(vertices), np.float32))
