# SPDX-License-Identifier: Apache-2.0
"""Part of a head that poses exactly like the whole: for pictures that show less than all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding

__all__ = ["ReducedHead", "reduced_head"]

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ReducedHead:
    """A smaller head model and where it is from.

    Attributes:
        model: poses like the whole head; its last five vertices are the joints at rest, which are in no triangle.
        vertices: (V',) the whole head's vertex of each vertex but those five.
        triangles: (F',) the whole head's triangle of each triangle.
    """

    model: HeadModel
    vertices: Ints
    triangles: Ints


def reduced_head(model: HeadModel, keep: npt.NDArray[np.bool_]) -> ReducedHead:
    """Keep the triangles ``keep`` (F,), all of their polygons, and every landmark.

    Raises:
        ValueError: the joints of the head follow its expressions, so that they need all vertices.
    """
    if model.joints_follow_expression:
        raise ValueError(f"the joints of {model.name} follow expressions")
    keep = keep.copy()
    for embedding in model.landmarks.values():
        keep[embedding.triangles] = True
    polygons = np.zeros(len(model.polygons), bool)
    polygons[model.triangle_polygons[keep]] = True
    triangles = np.flatnonzero(polygons[model.triangle_polygons])
    vertices = np.unique(model.triangles[triangles])
    place = np.full(len(model.template) + 1, -1)
    place[vertices] = np.arange(len(vertices))
    number = np.full(len(model.triangles), -1)
    number[triangles] = np.arange(len(triangles))
    joints = len(model.joint_names)

    def rows(basis: npt.NDArray[Any], follow: bool) -> npt.NDArray[Any]:
        """The basis of the vertices kept, and of the joints where those follow it."""
        moved = np.einsum("jv,kvc->kjc", model.joint_regressor, basis) if follow else np.zeros((len(basis), joints, 3))
        return np.concatenate([basis[:, vertices], moved.astype(basis.dtype)], axis=1)

    regressor = np.zeros((joints, len(vertices) + joints), np.float32)
    regressor[:, len(vertices) :] = np.eye(joints)
    landmarks = {
        name: LandmarkEmbedding(number[e.triangles], e.barycentric, e.weight) for name, e in model.landmarks.items()
    }
    weights = np.zeros((joints, joints), np.float32)
    weights[:, 0] = 1
    small = replace(
        model,
        template=np.concatenate([model.template[vertices], model.joint_regressor @ model.template]),
        polygons=place[model.polygons[polygons]],
        polygon_uvs=model.polygon_uvs[polygons],
        polygon_materials=model.polygon_materials[polygons],
        identity_basis=rows(model.identity_basis, True),
        expression_basis=rows(model.expression_basis, False),
        eyelid_basis=rows(model.eyelid_basis, False),
        corrective_basis=rows(model.corrective_basis, False),
        joint_regressor=regressor,
        skinning_weights=np.concatenate([model.skinning_weights[vertices], weights]),
        regions={n: np.concatenate([r[vertices], np.zeros(joints, bool)]) for n, r in model.regions.items()},
        landmarks=landmarks,
    )
    return ReducedHead(small, vertices, triangles)
