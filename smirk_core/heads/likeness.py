# SPDX-License-Identifier: Apache-2.0
"""Identities that are made, not captured: people at random, and faces made symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from .head_model import HeadModel

__all__ = ["LIMIT", "mirror_order", "random_identity", "symmetric_identity"]

Floats = npt.NDArray[np.floating[Any]]
LIMIT = 2.2  # standard deviations beyond which a component makes a caricature
_FAR = 0.003  # metres: a vertex without a partner this near on the other side has none

_orders: dict[tuple[str, int], npt.NDArray[np.intp]] = {}
_mirrors: dict[tuple[str, int], Floats] = {}


def random_identity(model: HeadModel, seed: int, spread: float = 0.9) -> Floats:
    """(K,) identity of a plausible person: normal with standard deviation ``spread``, cut at :data:`LIMIT`.

    The same seed gives the same person; a smaller spread one nearer to the mean.
    """
    draw = np.random.default_rng(seed).normal(0.0, 1.0, model.identity_size)
    return np.clip(spread * draw, -LIMIT, LIMIT)


def mirror_order(model: HeadModel) -> npt.NDArray[np.intp]:
    """(V,) for every vertex of the mean head the one at its mirror image.

    Raises:
        TakeError: the head's mesh is not the same on both sides.
    """
    key = (model.digest, len(model.template))
    if key not in _orders:
        distance, order = _nearest(model.template.astype(np.float64), model.template * np.array([-1.0, 1.0, 1.0]))
        if distance.max() > _FAR or len(np.unique(order)) < 0.98 * len(order):
            raise TakeError(f"The mesh of the head '{model.name}' is not the same on both sides: it has no symmetry.")
        _orders[key] = order
    return _orders[key]


def _nearest(points: Floats, places: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """For each of (M, 3) places the distance to the nearest of (V, 3) points and its number. Without SciPy: once a
    session, and Blender's own Python may not have it."""
    order = np.zeros(len(places), dtype=np.intp)
    square = (points**2).sum(axis=1)
    for begin in range(0, len(places), 512):
        some = places[begin : begin + 512]
        order[begin : begin + 512] = (square - 2 * some @ points.T).argmin(axis=1)
    return np.linalg.norm(points[order] - places, axis=1), order


def symmetric_identity(model: HeadModel, identity: Floats, strength: float = 1.0) -> Floats:
    """(K,) the identity nearest to the mean of a face and its mirror image.

    Args:
        model: the head.
        identity: (k,) coefficients, k <= K.
        strength: 0 leaves the face as it is, 1 makes both sides alike, between them it is less uneven.

    Raises:
        TakeError: the head's mesh has no symmetry.
    """
    full = np.zeros(model.identity_size)
    full[: len(identity)] = identity
    mirrored = _mirror(model) @ full
    return full + 0.5 * strength * (mirrored - full)


def _mirror(model: HeadModel) -> Floats:
    """(K, K) coefficients of the mirrored components in terms of the components themselves, by least squares."""
    key = (model.digest, model.identity_size)
    if key not in _mirrors:
        basis = model.identity_basis.astype(np.float64)
        other = basis[:, mirror_order(model)] * [-1.0, 1.0, 1.0]
        flat, wanted = basis.reshape(len(basis), -1), other.reshape(len(basis), -1)
        gram = flat @ flat.T
        ridge = 1e-9 * np.trace(gram) / max(len(gram), 1) * np.eye(len(gram))
        _mirrors[key] = np.linalg.solve(gram + ridge, flat @ wanted.T)
    return _mirrors[key]
