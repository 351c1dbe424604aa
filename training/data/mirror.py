# SPDX-License-Identifier: Apache-2.0
"""Left and right swapped: of pictures, of landmarks, and of the parameters that made a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.errors import TrainingError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.neural.augmentation import mirror_pairs
from smirk_core.neural.paths import Batch

from .symmetry import vertex_partners

__all__ = ["Mirror", "landmark_mirror", "mirrored"]

Ints = npt.NDArray[np.integer[Any]]
_SIGNS = {
    "rotation": (1.0, -1.0, -1.0),  # a mirrored rotation vector: x is kept, y and z turn round
    "neck": (1.0, -1.0, -1.0),
    "jaw": (1.0, -1.0, -1.0),
    "camera": (1.0, -1.0, 1.0),
    "eyes": (1.0, -1.0, 1.0, -1.0),
    "eyelids": (1.0, 1.0),
}
_ORDER = {"eyes": (2, 3, 0, 1), "eyelids": (1, 0)}  # left and right change places
_SAME = ("confidence", "visibility")
_SYMMETRIC = 0.02  # share of a basis that may be missing from its mirror image


@lru_cache(maxsize=8)
def landmark_mirror(name: str) -> tuple[int, ...]:
    """The landmark on the other side of the face for each one of ``mediapipe_478``, ``mediapipe_105``, ``ibug_68``.

    Taken from the bundled head, whose landmarks are symmetric to a fraction of a millimetre; the pairs belong to the
    set of landmarks and hold for every head.

    Raises:
        TrainingError: no such set is known.
    """
    head = load_head("open")
    if name not in head.landmarks:
        raise TrainingError(f"The landmarks '{name}' cannot be mirrored; known are {', '.join(head.landmarks)}.")
    embedding = head.landmarks[name]
    corners = head.template[head.triangles[embedding.triangles]]
    points = (corners * embedding.barycentric[..., None]).sum(1)
    apart = np.linalg.norm(points[:, None] * [-1.0, 1.0, 1.0] - points[None], axis=-1)
    return tuple(int(i) for i in apart.argmin(axis=1))


@dataclass(frozen=True)
class Mirror:
    """How the parameters of one head are mirrored.

    Attributes:
        expression: (E,) partner of each expression, or None where the head's expressions have no sides by name.
        identity: (K,) sign of each component, or None where components are neither even nor odd.
    """

    expression: Tensor | None
    identity: Tensor | None

    @staticmethod
    def of(model: HeadModel) -> Mirror:
        """For a head."""
        named = any(n.endswith("Left") for n in model.expression_names)
        pairs = torch.tensor(mirror_pairs(tuple(model.expression_names))) if named else None
        return Mirror(pairs, _identity_signs(model))

    def truth(self, groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Groups (B, size) of the mirrored faces.

        Raises:
            TrainingError: a group cannot be mirrored for this head.
        """
        out = {}
        for name, values in groups.items():
            if name == "expression" and self.expression is not None:
                out[name] = values[:, self.expression[: values.shape[1]].to(values.device)]
            elif name == "identity" and self.identity is not None:
                out[name] = values * self.identity[: values.shape[1]].to(values)
            elif name in _SIGNS:
                moved = values[:, list(_ORDER[name])] if name in _ORDER else values
                out[name] = moved * values.new_tensor(_SIGNS[name])
            elif name in _SAME:
                out[name] = values
            else:
                raise TrainingError(f"This head's {name} cannot be mirrored: set flip to 0.")
        return out


def _identity_signs(model: HeadModel) -> Tensor | None:
    """+1 for components that move both sides alike, -1 for those that move them against each other."""
    partner = vertex_partners(model)
    basis = np.asarray(model.identity_basis, np.float64)
    other = (basis * [-1.0, 1.0, 1.0])[:, partner]
    scale = np.square(basis).sum((1, 2)).clip(1e-30)
    likeness = (basis * other).sum((1, 2)) / scale
    signs = np.where(likeness >= 0, 1.0, -1.0)
    missing = np.square(other - signs[:, None, None] * basis).sum((1, 2)) / scale
    return torch.tensor(signs, dtype=torch.float32) if missing.max() < _SYMMETRIC else None


def mirrored(batch: Batch, which: Tensor, mirror: Mirror | None = None) -> Batch:
    """A batch with some of its faces mirrored.

    Args:
        which: (B,) bool.
        mirror: of the head that the truth speaks of; only needed where there is truth.

    Raises:
        TrainingError: there is truth that cannot be mirrored.
    """
    if batch.truth and mirror is None:
        raise TrainingError("Faces with known truth can only be mirrored with the head that the truth speaks of.")

    def chosen(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(which.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    landmarks, trust = dict(batch.landmarks), dict(batch.trust)
    for name, points in batch.landmarks.items():
        order = list(landmark_mirror(name))
        landmarks[name] = chosen(points[:, order] * points.new_tensor([-1.0, 1.0]), points)
        if name in trust and trust[name].ndim == 2:
            trust[name] = chosen(trust[name][:, order], trust[name])
    truth = {}
    if mirror is not None and batch.truth:
        truth = {name: chosen(new, batch.truth[name]) for name, new in mirror.truth(batch.truth).items()}
    return replace(
        batch, image=chosen(batch.image.flip(-1), batch.image), hull=chosen(batch.hull.flip(-1), batch.hull),
        landmarks=landmarks, trust=trust, truth=truth,
    )  # fmt: skip
