# SPDX-License-Identifier: Apache-2.0
"""Test J: does an expression stay what it is when another person makes it?

What the encoder finds on one face (expression, jaw, lids) is put on the identity of the next one, drawn by the NumPy
renderer, and looked for again. The same without exchange stands beside it: what drawing and looking again cost alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from smirk_core.neural.face_model import FaceModel

from .plain_renderer import numpy_picture

__all__ = ["exchanged", "transfer"]

_MOVES = ("expression", "jaw", "eyelids")


def exchanged(groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each face with the expression of the one before it; identity, pose and camera stay."""
    return {k: v.roll(1, 0) if k in _MOVES else v for k, v in groups.items()}


def transfer(face: FaceModel, encode: Callable[[Tensor], Mapping[str, Tensor]], image: Tensor) -> dict[str, float]:
    """Figures of the exchange; {} for fewer than two faces.

    Args:
        face: the head.
        encode: (B, 3, S, S) crops to parameter groups.
        image: (B, 3, S, S) crops of different people.

    Returns:
        ``transfer_expression``: squared error of the expression found again over the spread of what was put there (1:
        no better than a constant answer; NaN: the encoder gives a constant answer). ``transfer_drift_mm``: how far the
        face at rest moves from the identity that was put there. ``transfer_kept_…``: each with its own expression.
    """
    if len(image) < 2:
        return {}
    found = encode(image)
    out = {}
    for name, groups in (("transfer", exchanged(found)), ("transfer_kept", found)):
        mesh = face.mesh(groups)
        drawn = face.render(mesh, groups["camera"])
        pictures = [
            numpy_picture(face, p.numpy(), v.numpy()) for p, v in zip(drawn.projected, mesh.vertices, strict=True)
        ]
        again = encode(torch.stack(pictures))
        wanted = groups["expression"]
        spread = wanted.var(0, unbiased=False).mean().item()
        lost = (again["expression"] - wanted).square().mean().item()
        out[f"{name}_expression"] = lost / spread if spread > 1e-10 else float("nan")
        out[f"{name}_drift_mm"] = _apart(face, again["identity"], groups["identity"], groups["camera"])
    return out


def _apart(face: FaceModel, found: Tensor, wanted: Tensor, camera: Tensor) -> float:
    """Mean distance in mm of the vertices of two faces at rest."""
    a, b = (face.mesh({"identity": i, "camera": camera}).vertices for i in (found, wanted))
    keep = torch.as_tensor(face.model.regions["face"])
    return 1000 * (a - b)[:, keep].norm(dim=-1).mean().item()
