# SPDX-License-Identifier: Apache-2.0
"""How far predictions are from the truth: figures over arrays, no networks.

Groups are (N, size) arrays, vertices (N, V, 3) metres. Protocol after the tests A to J that the project's survey of the
field suggests: besides errors, slopes and ratios that show what averages in millimetres hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["asymmetry", "correlation", "curves", "exaggeration", "identity_ratio", "jerk", "slope", "vertex_errors"]

Array = npt.NDArray[Any]
_ACTIVE = 0.3  # a curve, or a difference between left and right, that can be seen


def correlation(found: Array, wanted: Array) -> float:
    """Pearson's r of two (N,) arrays; NaN where one of them does not move."""
    a, b = found - found.mean(), wanted - wanted.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    moving = min(found.std(), wanted.std()) > 1e-5
    return float((a * b).sum() / scale) if moving else float("nan")


def slope(found: Array, wanted: Array) -> float:
    """Found against wanted, both (N,), by least squares: 1 where nothing is shrunk, 0 where nothing is seen."""
    b = wanted - wanted.mean()
    spread = (b * b).sum()
    return float(((found - found.mean()) * b).sum() / spread) if spread > 1e-12 else float("nan")


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")


def curves(found: Array, wanted: Array) -> dict[str, float]:
    """Errors, correlation and slope of expression curves, (N, E) each, mean over the curves that move."""
    moving = np.flatnonzero(wanted.std(0) > 1e-6)
    active = wanted > _ACTIVE
    error = np.abs(found - wanted)
    return {
        "curve_error": float(error.mean()),
        "curve_error_active": float(error[active].mean()) if active.any() else float("nan"),
        # one that does not move has found nothing: it counts as 0
        "curve_correlation": _mean([np.nan_to_num(correlation(found[:, k], wanted[:, k])) for k in moving]),
        "curve_slope": _mean([slope(found[:, k], wanted[:, k]) for k in moving]),
    }


def asymmetry(found: Array, wanted: Array, names: Sequence[str]) -> dict[str, float]:
    """How much of the difference between left and right is found; {} for a head without sides in its names."""
    from smirk_core.neural.augmentation import mirror_pairs  # torch, which the other figures do without

    other = mirror_pairs(tuple(names))
    pairs = [(i, o) for i, o in enumerate(other) if i < o < wanted.shape[1]]
    if not pairs:
        return {}
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    apart, true = found[:, left] - found[:, right], wanted[:, left] - wanted[:, right]
    clear = np.abs(true) > _ACTIVE
    return {
        "asymmetry_error": float(np.abs(apart - true).mean()),
        "asymmetry_slope": slope(apart[clear], true[clear]) if clear.sum() > 2 else float("nan"),
    }


def vertex_errors(found: Array, wanted: Array, regions: Mapping[str, Array]) -> dict[str, float]:
    """Mean distance in mm of the vertices of each region."""
    apart = 1000 * np.linalg.norm(found - wanted, axis=-1)
    return {f"{name}_mm": float(apart[:, keep].mean()) for name, keep in regions.items() if keep.any()}


def identity_ratio(identity: Array, person: Array) -> float:
    """Spread between people over spread within a person, of (N, K) coefficients; ``person`` (N,) says who it is."""
    people = np.unique(person)
    means = np.stack([identity[person == p].mean(0) for p in people])
    within = np.mean([identity[person == p].var(0).sum() for p in people])
    between = means.var(0).sum()
    return float(between / within) if within > 1e-12 else float("nan")


def jerk(track: Array) -> float:
    """Mean size of the third difference over time of (T, …, 3) positions, in the unit of the positions."""
    return float(np.linalg.norm(np.diff(track, n=3, axis=0), axis=-1).mean())


def exaggeration(covered: Array, open_: Array) -> float:
    """Mean size of expressions where the face is covered over that where it is not: 1 or less is wanted."""
    seen = np.abs(open_).mean()
    return float(np.abs(covered).mean() / seen) if seen > 1e-9 else float("nan")
