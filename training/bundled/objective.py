# SPDX-License-Identifier: Apache-2.0
"""How wrong an answer is, against truth and against a teacher.

Means and uncertainties are taught apart: means by squared error (what cannot be seen is then answered by its mean,
which shrinks), uncertainties by the likelihood of the errors that are left.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .answers import FACE_GROUPS, Answers
from .views import View

__all__ = ["WEIGHTS", "losses", "total"]

WEIGHTS = {
    "face": 1.0, "motion": 0.05, "points": 0.3, "rotation": 1.0, "camera": 0.5, "identity": 0.15,
    "face_sigma": 0.05, "visibility": 0.1,
}  # fmt: skip
_LOG_SIGMA = (-6.0, 2.0)


def losses(
    answers: Answers, answer: Tensor, view: View, taught: Tensor | None = None, share: float = 0.5
) -> dict[str, Tensor]:
    """Named losses of answers (B, A).

    Args:
        taught: (B, A) a teacher's answers to the same pictures without their covers.
        share: of the targets that is the teacher's word, where it is given.
    """
    parts = answers.parts
    end = parts["identity"].stop
    wanted, places = view.groups, view.places
    if taught is not None:
        wanted = torch.lerp(wanted, taught[:, :end], share)
        places = torch.lerp(places, answers.places(taught), share)
    face = slice(0, parts["eyes"].stop)
    apart = answer[:, :end] - wanted
    moved = (apart[:, face] * answers.scale[face]) @ answers.motion * 1000
    out = {"face": apart[:, face].square().mean(), "motion": moved.square().mean() * 3}
    for name in ("rotation", "camera", "identity"):
        out[name] = apart[:, parts[name].columns].square().mean()
    distance = (answers.places(answer) - places).square().sum(-1).add(1e-8).sqrt()
    logarithm = answer[:, parts["point_sigma"].columns].clamp(*_LOG_SIGMA) - 3.5  # about .03 of the crop to begin with
    out["points"] = (distance * torch.exp(-logarithm) + 2 * logarithm).mean()
    spread = answer[:, parts["face_sigma"].columns].clamp(*_LOG_SIGMA)
    left = (answer[:, face] - view.groups[:, face]).detach().square()
    out["face_sigma"] = (0.5 * left * torch.exp(-2 * spread) + spread).mean()
    logits = answer[:, parts["visibility"].columns]
    out["visibility"] = binary_cross_entropy_with_logits(logits, view.visible)
    assert face.stop == sum(parts[n].stop - parts[n].start for n in FACE_GROUPS)
    return out


def total(named: dict[str, Tensor]) -> Tensor:
    """The weighted sum."""
    return torch.stack([WEIGHTS[n] * v for n, v in named.items()]).sum()
