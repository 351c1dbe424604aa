# SPDX-License-Identifier: Apache-2.0
"""Something worn on a head: a mesh designed on the mean head whose vertices each hold on to one place of the skin.

Because that hold is linear, the same three weights a vertex carry it to every identity and through every expression,
and give it its share of every joint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel

__all__ = ["Wear", "joined"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Wear:
    """n vertices, P polygons.

    Attributes:
        points: (n, 3) metres, on the head's template.
        polygons: (P, 4), -1 last in triangles.
        uvs: (n, 2), v up; they may leave the unit square where the picture repeats.
        materials: (P,) names.
        corners, weights: (n, 3) vertices of the head that each vertex follows and how much; weights sum to 1.
    """

    points: Floats
    polygons: Ints
    uvs: Floats
    materials: npt.NDArray[np.str_]
    corners: Ints
    weights: Floats

    def carried(self, offsets: Floats) -> Floats:
        """(..., V, k) values of the head's vertices, displacements or joint weights, to (..., n, k) of these."""
        picked = offsets[..., self.corners, :]
        return (picked * self.weights[..., None]).sum(axis=-2)

    def on(self, model: HeadModel, vertices: Floats) -> Floats:
        """(..., n, 3) places of the vertices on unturned heads with (..., V, 3) vertices."""
        return self.points + self.carried(vertices - model.template)


def joined(parts: list[Wear]) -> Wear:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(p.points) for p in parts)])
    return Wear(
        points=np.concatenate([p.points for p in parts]),
        polygons=np.concatenate(
            [np.where(p.polygons >= 0, p.polygons + s, -1) for p, s in zip(parts, starts, strict=False)]
        ),
        uvs=np.concatenate([p.uvs for p in parts]),
        materials=np.concatenate([p.materials for p in parts]),
        corners=np.concatenate([p.corners for p in parts]),
        weights=np.concatenate([p.weights for p in parts]),
    )
