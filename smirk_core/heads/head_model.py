# SPDX-License-Identifier: Apache-2.0
"""The one interface that every head implements: a linear mesh model with a skeleton and landmarks.

Convention: head space is FLAME's. Metres, right-handed, +x to the subject's left, +y up, +z out of the face.
Left and right are always the subject's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ContourEmbedding", "HeadModel", "LandmarkEmbedding"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Where landmarks sit on the surface of a head.

    Attributes:
        triangles: (L,) int, index into :attr:`HeadModel.triangles`.
        barycentric: (L, 3) float, weights of that triangle's vertices; each row sums to 1.
        weight: (L,) float, trust of each point, 1 / measured standard deviation, scaled to a mean of 1.
    """

    triangles: Ints
    barycentric: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.triangles)


@dataclass(frozen=True)
class ContourEmbedding:
    """Where the outline of the face sits, for every yaw that a table has a row for.

    Attributes:
        triangles: (79, 17) int: row 0..39 for 0..39 degrees to the subject's left, row 40..78 for 1..39 to the right.
        barycentric: (79, 17, 3) float.
    """

    triangles: Ints
    barycentric: Floats


@dataclass(frozen=True)
class HeadModel:
    """A head as arrays. V vertices, P polygons, F triangles, K identity, E expressions, J joints, C correctives.

    The mesh is a quad mesh; a triangle in ``polygons`` has -1 in its last column. Joints are always
    ``root, neck, jaw, left_eye, right_eye``.

    Attributes:
        name: stable identifier, e.g. ``"open-1"``.
        digest: hex hash of the arrays; takes store it so that a take and a head can be matched.
        template: (V, 3) metres, mean identity, neutral.
        polygons: (P, 4) int, corner vertices, counter-clockwise seen from outside.
        identity_basis: (K, V, 3) metres per standard deviation.
        expression_basis: (E, V, 3) metres per unit weight.
        expression_names: E names.
        eyelid_basis: (2, V, 3) metres at full closure, left then right.
        corrective_basis: (C, V, 3) metres per unit of its pose feature.
        corrective_features: (C,) int, index into the row-major flattening of the (J - 1) matrices ``R_j - I``
            of joints 1..J-1 (FLAME's pose feature): feature ``9 * (j - 1) + 3 * row + column``. Four more follow
            from the lids: :func:`smirk_core.heads.decode.lid_features`.
        joint_names, joint_parents: the skeleton; the root's parent is -1.
        joint_regressor: (J, V) rest vertices to joint positions.
        skinning_weights: (V, J), rows sum to 1.
        uvs: (T, 2) in [0, 1], v up; ``polygon_uvs``: (P, 4) int into it (-1 as in polygons).
        polygon_materials: (P,) int into ``material_names``.
        regions: name -> (V,) bool.
        landmarks: name -> embedding: ``mediapipe_478``, ``mediapipe_105``, ``ibug_68``, ``ibug_51``.
        angles: radians of joint rotation that correspond to an ARKit weight of 1: ``jawOpen``, ``jawLeft``,
            ``eyeLookUp``, ``eyeLookDown``, ``eyeLookIn``, ``eyeLookOut`` (all positive).
        expression_range: (low, high) of every expression weight.
        joints_follow_expression: FLAME regresses joints after expressions are added, the open head before.
        eyelids_after_skinning: FLAME's faithful mode adds lid offsets unrotated, after skinning.
        contour: FLAME's outline that depends on the yaw, where the head has one.
        notes: what this head lacks because files of the user's are missing, one line each.
    """

    name: str
    digest: str
    template: Floats
    polygons: Ints
    identity_basis: Floats
    expression_basis: Floats
    expression_names: tuple[str, ...]
    eyelid_basis: Floats
    corrective_basis: Floats
    corrective_features: Ints
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    joint_regressor: Floats
    skinning_weights: Floats
    uvs: Floats
    polygon_uvs: Ints
    polygon_materials: Ints
    material_names: tuple[str, ...]
    regions: Mapping[str, npt.NDArray[np.bool_]]
    landmarks: Mapping[str, LandmarkEmbedding]
    angles: Mapping[str, float] = field(default_factory=dict)
    expression_range: tuple[float, float] = (0.0, 1.0)
    joints_follow_expression: bool = False
    eyelids_after_skinning: bool = False
    contour: ContourEmbedding | None = None
    notes: tuple[str, ...] = ()

    @property
    def identity_size(self) -> int:
        return len(self.identity_basis)

    @property
    def expression_size(self) -> int:
        return len(self.expression_basis)

    @cached_property
    def _split(self) -> tuple[Ints, Ints]:
        """Triangles as (polygon, corners) pairs: a quad (a, b, c, d) splits into (a, b, c) and (a, c, d)."""
        quads = self.polygons[:, 3] >= 0
        first = np.arange(len(self.polygons))
        polygon = np.concatenate([first, first[quads]])
        corners = np.concatenate([np.tile([0, 1, 2], (len(first), 1)), np.tile([0, 2, 3], (int(quads.sum()), 1))])
        order = np.argsort(polygon, kind="stable")
        return polygon[order], corners[order]

    @cached_property
    def triangle_polygons(self) -> Ints:
        """(F,) the polygon that each triangle belongs to."""
        return self._split[0]

    @cached_property
    def triangles(self) -> Ints:
        """(F, 3) vertex indices, counter-clockwise seen from outside."""
        polygon, corners = self._split
        return np.take_along_axis(self.polygons[polygon], corners, axis=1)

    @cached_property
    def triangle_uvs(self) -> Ints:
        """(F, 3) indices into ``uvs``."""
        polygon, corners = self._split
        return np.take_along_axis(self.polygon_uvs[polygon], corners, axis=1)

    @cached_property
    def clear_triangles(self) -> npt.NDArray[np.bool_]:
        """(F,) True for what light goes through, such as the cornea: renderers without glass leave it out."""
        clear = np.array(["cornea" in name or "tear" in name for name in self.material_names], bool)
        return clear[np.asarray(self.polygon_materials)[self.triangle_polygons]]

    def triangle_region(self, name: str) -> npt.NDArray[np.bool_]:
        """(F,) True for triangles whose three vertices lie in region ``name``."""
        return self.regions[name][self.triangles].all(axis=1)
