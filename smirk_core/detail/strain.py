# SPDX-License-Identifier: Apache-2.0
"""How far an expression shortens the skin across each group's lines: measured on the mesh, whatever its curves' names.

The displacement u of an expression stretches a direction n of the surface by n . (grad u) n (small strain); negative
is shorter, and skin that is shortened folds. As vertices are linear in the expression weights, so is this, and a
group's law is a hinge over a sum: nothing up to a threshold, then straight up to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .heights import WrinkleMaps, wrinkle_maps
from .surface import Frames

__all__ = ["StrainLaw", "group_strain", "strain_law", "surface_strain"]

Floats = npt.NDArray[np.floating[Any]]
THRESHOLD, FULL = 0.02, 0.12  # shortening at which skin begins to fold, and folds fully
_SAMPLES = 600  # texels of a group that are looked at


def surface_strain(model: HeadModel, maps: WrinkleMaps, rows: npt.NDArray[Any], displacement: Floats) -> Floats:
    """(n, 2, 2) small strain of some texels in an orthonormal frame of the template's surface, its first axis along u.

    Args:
        model: the head.
        maps: whose surface the texels are of.
        rows: (n,) texels.
        displacement: (V, 3) metres by which the vertices move.
    """
    surface = maps.surface
    corners = surface.corners[rows]
    a, b, c = (model.template[corners[:, k]].astype(np.float64) for k in range(3))
    e1, e2 = b - a, c - a
    x = e1 / np.maximum(np.linalg.norm(e1, axis=1, keepdims=True), 1e-12)
    normal = np.cross(e1, e2)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-18)
    frame = np.stack([x, np.cross(normal, x)], axis=1)
    edges = np.stack([(frame * e[:, None]).sum(axis=2) for e in (e1, e2)], axis=2)  # (n, 2, 2) columns are edges
    moved = [displacement[corners[:, k]] - displacement[corners[:, 0]] for k in (1, 2)]
    moved = np.stack([(frame * m[:, None]).sum(axis=2) for m in moved], axis=2)
    gradient = moved @ np.linalg.inv(edges)
    strain = 0.5 * (gradient + np.swapaxes(gradient, 1, 2))
    along = Frames.of(model, surface, model.template).along_u[rows]
    along = (frame * along[:, None]).sum(axis=2)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    turn = np.stack([along, np.stack([-along[:, 1], along[:, 0]], axis=1)], axis=1)
    return turn @ strain @ np.swapaxes(turn, 1, 2)


def group_strain(model: HeadModel, displacements: Floats, size: int = 1024) -> Floats:
    """(G, M) mean stretch across the lines of each group, for M displacements (M, V, 3); negative is shorter.

    The direction across is that in which the group's height changes, texel by texel.
    """
    maps = wrinkle_maps(model, size)
    result = np.zeros((len(maps.groups), len(displacements)))
    for index in range(len(maps.groups)):
        height = maps.group_map(index)
        down, right = np.gradient(height)
        own = maps.texels[index]
        flat = maps.surface.texels[own]
        steep = np.hypot(right.ravel()[flat], down.ravel()[flat])
        chosen = np.argsort(-steep)[:_SAMPLES]
        rows, weight = own[chosen], steep[chosen] ** 2 + 1e-20
        # In the orthonormal frame along u; maps of skin are near to conformal, so the picture's direction will do.
        across = np.stack([right.ravel()[flat[chosen]], -down.ravel()[flat[chosen]]], axis=1)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-20)
        for number, displacement in enumerate(displacements):
            strain = surface_strain(model, maps, rows, np.asarray(displacement, np.float64))
            stretch = np.einsum("ni,nij,nj->n", across, strain, across)
            result[index, number] = np.average(stretch, weights=weight)
    return result


@dataclass(frozen=True)
class StrainLaw:
    """Folding from expression weights by strain alone.

    Attributes:
        shortening: (G, E) of each group per unit of each expression, positive is shorter.
        threshold, full: shortening at which a group begins to fold, and folds fully.
    """

    shortening: Floats
    threshold: float = THRESHOLD
    full: float = FULL

    def folding(self, expression: Floats) -> Floats:
        """(T, G) 0..1 for expression weights (T, E)."""
        shorter = np.asarray(expression, np.float64) @ self.shortening.T
        return np.clip((shorter - self.threshold) / (self.full - self.threshold), 0, 1)


def strain_law(model: HeadModel, size: int = 512) -> StrainLaw:
    """The law of a head from its own expression shapes, named or not.

    Raises:
        AssetError: the head has no UVs or dense landmarks.
    """
    return StrainLaw(-group_strain(model, model.expression_basis, size))
