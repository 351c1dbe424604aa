# SPDX-License-Identifier: Apache-2.0
"""Figures of the mesh itself: lids on eyeballs, lips and teeth, stretch of the texture layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import eyelids, head_mouth
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.unwrap import reference_frames, stretch

__all__ = ["measure_lids", "measure_mouth", "measure_stretch"]

Floats = npt.NDArray[np.floating[Any]]


def measure_lids(model: HeadModel, people: int = 200) -> dict[str, Any]:
    """Vertices of lids inside eyeballs and the gap at the lids' edge, over people and states of gaze and blink."""
    identity = np.random.default_rng(20).normal(size=(people, model.identity_size)).astype(np.float32)
    fit = eyelids.measure(model, identity)
    open_states = np.array([closure < 1 for closure, _, _ in eyelids.STATES])
    return {
        "people": people,
        "states": len(eyelids.STATES),
        "tested": int(fit.vertices) * people * len(eyelids.STATES),
        "through": int(fit.through.sum()),
        "deepest_mm": round(1e3 * float(fit.deepest.max()), 3),
        "gap_mean_mm": round(1e3 * float(fit.gap_mean[open_states].mean()), 3),
        "gap_99_mm": round(1e3 * float(fit.gap_99[open_states].max()), 3),
        "gap_most_mm": round(1e3 * float(fit.gap_most[open_states].max()), 3),
    }


def measure_mouth(model: HeadModel, people: int = 200) -> dict[str, Any]:
    """What :mod:`benchmarks.head_mouth` says, row by row."""
    return {"people": people, "rows": dict(head_mouth.report(head_mouth.Mouth(model), people))}


def measure_stretch(model: HeadModel) -> dict[str, Any]:
    """Ratio of the longer to the shorter singular value of the layout (1 keeps angles), and spread of its scale.

    Both weighted by area, of the face without lids and lips and of all skin.
    """
    skin = model.triangle_region("skin")
    face = skin & model.triangle_region("face") & ~model.triangle_region("lips") & ~model.triangle_region("eyes")
    out: dict[str, Any] = {}
    for name, rows in (("face", face), ("skin", skin)):
        frames = reference_frames(model.template.astype(np.float64), model.triangles[rows])
        values = stretch(model.uvs.astype(np.float64), model.triangle_uvs[rows], frames)
        area = np.linalg.det(frames) / 2
        ratio, scale = values[:, 0] / values[:, 1], np.sqrt(np.abs(values.prod(axis=1)))
        low, high = _percentiles(scale, area, (0.05, 0.95))
        out[name] = {
            "ratio_median": round(_percentiles(ratio, area, (0.5,))[0], 3),
            "ratio_95": round(_percentiles(ratio, area, (0.95,))[0], 3),
            "scale_95_to_5": round(high / low, 2),
            "turned_over": int((values[:, 1] <= 0).sum()),
        }
    return out


def _percentiles(values: Floats, weight: Floats, shares: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    return np.interp(shares, np.cumsum(weight[order]) / weight.sum(), values[order]).tolist()
