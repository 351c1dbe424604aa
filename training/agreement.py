# SPDX-License-Identifier: Apache-2.0
"""Test G: how far an encoder says the same as MediaPipe's face scores do. Agreement, never accuracy: both may be wrong.

Only for heads with ARKit names; needs MediaPipe and its face_landmarker.task. Its left is the subject's left, as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from smirk_core.errors import AssetError
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.head_model import HeadModel

from . import measures
from .mediapipe_scores import mediapipe_scores

__all__ = ["CURVES", "agreement", "figures"]

Array = npt.NDArray[Any]
CURVES = (
    "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "jawOpen",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
)  # fmt: skip
_FEW = 8  # faces; a correlation over fewer says nothing


def figures(mine: Array, theirs: Array) -> dict[str, float]:
    """Correlation and agreement of sign for each of :data:`CURVES`, of (N, 52) weights each, without rows with NaN.

    The sign is that of the difference from the curve's own mean over all faces: do both say "more than usual"? Half is
    chance. NaN where a curve does not move.
    """
    out = {}
    for name in CURVES:
        a, b = mine[:, ARKIT_INDEX[name]], theirs[:, ARKIT_INDEX[name]]
        moving = min(a.std(), b.std()) > 1e-5
        same = np.sign(a - a.mean()) == np.sign(b - b.mean())
        out[f"mediapipe_agreement_r_{name}"] = measures.correlation(a, b)
        out[f"mediapipe_agreement_sign_{name}"] = float(same.mean()) if moving else float("nan")
    return out


def agreement(
    model: HeadModel, encode: Callable[[Tensor], Mapping[str, Tensor]], images: Sequence[Tensor], notes: list[str]
) -> dict[str, float]:
    """Figures of the agreement; {} and one more line in ``notes`` where there can be none.

    Args:
        model: the head.
        encode: (B, 3, S, S) crops to parameter groups.
        images: crops in [0, 1], a batch each.
        notes: takes the reason why the figures are left out.
    """
    named = sum(n in ARKIT_INDEX for n in model.expression_names)
    if not named:
        notes.append(f"Agreement with MediaPipe is left out: {model.name} has no expressions by its names.")
        return {}
    try:
        pixels = [(255 * i).round().byte().permute(0, 2, 3, 1).cpu().numpy() for i in images]
        theirs = mediapipe_scores(np.concatenate(pixels))
    except AssetError as error:
        notes.append(f"Agreement with MediaPipe is left out: {error}")
        return {}
    seen = np.isfinite(theirs).any(1)
    if seen.sum() < _FEW:
        notes.append(f"Agreement with MediaPipe is left out: it finds {seen.sum()} faces in {len(seen)} pictures.")
        return {}
    found = [encode(i) for i in images]
    groups = {k: np.concatenate([f[k].cpu().numpy() for f in found]) for k in ("expression", "eyelids", "jaw")}
    mine = arkit_from_groups(model, groups)
    return {"mediapipe_agreement_faces": float(seen.sum())} | figures(mine[seen], np.nan_to_num(theirs[seen]))
