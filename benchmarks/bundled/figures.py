# SPDX-License-Identifier: Apache-2.0
"""Figures of the yardstick over arrays: correlation with a bootstrap over people, slopes, errors, jitter, identity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from training.measures import correlation, slope

__all__ = [
    "NOT_GAZE", "Interval", "closer", "curve_table", "difference", "errors", "face_mm", "faces", "jitter", "lag",
    "pooled", "strongest",
]  # fmt: skip

Array = npt.NDArray[Any]
Interval = tuple[float, float, float]  # value, and the middle 95 % over resampled people
ACTIVE, REST = 0.3, 1e-3
NOT_GAZE = np.array([not n.startswith("eyeLook") for n in ARKIT_NAMES])
_DRAWS = 1000


def _sums(true: Array, found: Array, person: Array) -> Array:
    """(P, 6) what a correlation needs, for each person: count, sums, squares and product."""
    people, row = np.unique(person, return_inverse=True)
    x, y = np.asarray(true, float), np.asarray(found, float)
    each = np.stack([np.full(len(x), x.shape[1]), x.sum(1), y.sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)])
    out = np.zeros((len(people), 6))
    np.add.at(out, row, each.T)
    return out


def _correlations(sums: Array) -> Array:
    """(..., 6) to (...); 0 where nothing moves."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    scale = np.sqrt(np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0))
    return np.where(scale > 1e-9 * n * n, (n * xy - x * y) / np.maximum(scale, 1e-30), 0.0)


def _resampled(people: int, seed: int = 0) -> Array:
    """(draws, people) how often each person is in each draw."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), size=_DRAWS).astype(float)


def pooled(true: Array, found: Array, person: Array) -> Interval:
    """Pearson's r over all entries of (N, C) weights, with its interval over people; a constant answer has 0."""
    sums = _sums(true, found, person)
    low, high = np.percentile(_correlations(_resampled(len(sums)) @ sums), [2.5, 97.5])
    return float(_correlations(sums.sum(0))), float(low), float(high)


def difference(true: Array, one: Array, other: Array, person: Array) -> Interval:
    """By how much the pooled r of ``one`` is above that of ``other``, with its interval over people."""
    a, b = _sums(true, one, person), _sums(true, other, person)
    draws = _resampled(len(a))
    low, high = np.percentile(_correlations(draws @ a) - _correlations(draws @ b), [2.5, 97.5])
    return float(_correlations(a.sum(0)) - _correlations(b.sum(0))), float(low), float(high)


def curve_table(true: Array, found: Array) -> dict[str, dict[str, float]]:
    """r and slope of every curve that moves in the truth; one that is never found moving has r 0."""
    out = {}
    for k, name in enumerate(ARKIT_NAMES):
        if true[:, k].std() > 1e-6:
            r = float(np.nan_to_num(correlation(found[:, k], true[:, k])))
            out[name] = {"r": r, "slope": slope(found[:, k], true[:, k])}
    return out


def strongest(model: HeadModel, true: Array, count: int = 20) -> list[str]:
    """The curves that move the face most in a set, by root mean square millimetres; gaze is left out."""
    rest = faces(model, np.zeros((1, model.identity_size)), np.zeros((1, len(ARKIT_NAMES))))
    each = faces(model, np.zeros((52, model.identity_size)), np.eye(52)) - rest
    moved = np.sqrt((each**2).sum(-1).mean(-1)) * true.std(0) * NOT_GAZE
    return [ARKIT_NAMES[k] for k in np.argsort(-moved)[:count]]


def errors(true: Array, found: Array) -> dict[str, float]:
    """Mean absolute error of weights that can be seen (above .3) and mean size of those that rest."""
    apart = np.abs(true - found)
    return {"active": float(apart[true > ACTIVE].mean()), "rest": float(apart[true < REST].mean())}


def faces(model: HeadModel, identity: Array, weights: Array) -> Array:
    """(N, F, 3) vertices of the face, unturned, of people (N, K) with ARKit weights (N, 52); metres."""
    keep, out = model.regions["face"], []
    for start in range(0, len(weights), 64):
        rows = slice(start, start + 64)
        groups = groups_from_arkit(model, np.asarray(weights[rows], np.float32))
        out.append(decode(model, groups | {"identity": np.asarray(identity[rows], np.float32)}).vertices[:, keep])
    return np.concatenate(out)


def face_mm(model: HeadModel, identity: Array, true: Array, found: Array) -> Array:
    """(N,) mean distance of the face's vertices in millimetres, from expressions alone: both wear the identity."""
    apart = faces(model, identity, true) - faces(model, identity, found)
    return 1000 * np.linalg.norm(apart, axis=-1).mean(-1)


def closer(one: Array, other: Array) -> dict[str, float]:
    """Two pictures of each of P people as (P, D) vectors: how often a person is nearer to himself than to another.

    ``comparisons``: over all pairs of people; ``nearest``: share of people whose own second picture is nearest of all.
    """
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    own, strangers = np.diag(square)[:, None], ~np.eye(len(one), dtype=bool)
    return {
        "comparisons": float((own < square)[strangers].mean()),
        "nearest": float((square.argmin(1) == np.arange(len(one))).mean()),
    }


def jitter(curves: Array) -> dict[str, float]:
    """Of (T, C) curves: root mean square second difference; and over the curves' own spread, which shrinking cannot
    buy."""
    size = float(np.sqrt((np.diff(curves, 2, axis=0) ** 2).mean()))
    spread = float(np.sqrt(curves.var(0).mean()))
    return {"jitter": size, "relative": size / spread if spread > 1e-9 else 0.0}


def lag(reference: Array, found: Array, reach: int = 3) -> float:
    """Frames by which (T, C) curves follow the reference, to a part of a frame; NaN where they do not move together."""
    n, moving = len(reference), (reference.std(0) > 0.03) & (found.std(0) > 1e-6)
    if n < 4 * reach or not moving.any():
        return float("nan")
    a, b = reference[:, moving], found[:, moving]
    middle = a[reach : n - reach].ravel()
    score = [np.corrcoef(middle, b[reach + s : n - reach + s].ravel())[0, 1] for s in range(-reach, reach + 1)]
    best = int(np.clip(np.argmax(score), 1, 2 * reach - 1))
    low, top, high = score[best - 1 : best + 2]
    return float(best - reach + 0.5 * (low - high) / (low - 2 * top + high))
