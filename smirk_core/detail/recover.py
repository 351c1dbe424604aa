# SPDX-License-Identifier: Apache-2.0
"""A person's own detail from pictures: the relief that stays, and how strongly each group wrinkles.

Every picture gives a relief (:mod:`.shape_from_shading`). Over the pictures, the part of it that looks like a group's
map is a straight line over the group's activation: what is there without any is the person's static relief, the slope
is the person's share of the generic group. Few pictures say little, so both have priors: people whose lines stay in a
resting face are people who fold strongly, and a group that was never seen acting keeps the usual share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.arkit import arkit_from_groups
from ..heads.head_model import HeadModel
from ..progress import Progress, silent
from ..rendering.photo_texture import PhotoView, choose_rows, take_views
from ..take import Take
from .activation import folding
from .groups import GROUPS
from .heights import WrinkleMaps, wrinkle_maps
from .person import PersonDetail
from .shape_from_shading import BROAD, ReliefView, band, relief_of_view
from .surface import skin_surface

__all__ = ["choose_detail_rows", "recover_detail", "recover_from_take"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
SIZE = 1024
_SHIFT = 6  # texels by which a person's folds may lie beside the generic ones
_MEAN = np.array([0.05, 1.0])  # usual height of a group in a resting face, and usual share
_SPREAD = np.array([[0.3**2, 0.5 * 0.3 * 0.6], [0.5 * 0.3 * 0.6, 0.6**2]])
_LEAST, _MOST = 0.0, 3.0  # shares
_DEEPEST = 0.45  # mm of static relief
_LIVELY = 5.0  # how much less a picture counts for the static relief when a group is folded fully


def recover_detail(
    model: HeadModel,
    views: Sequence[PhotoView],
    curves: Floats,
    *,
    size: int = SIZE,
    source: str = "",
    progress: Progress = silent,
) -> PersonDetail:
    """A person's detail from pictures with the head fitted to them.

    Args:
        model: the head, with UVs and dense landmarks.
        views: the pictures.
        curves: (T, 52) ARKit weights of the expression in each.
        size: texels to a side of the UV square; 1024 is half a millimetre a texel.
        source: of the pictures, for people.
        progress: called after every picture; may raise ``Cancelled``.

    Raises:
        TakeError: there is no picture, or none shows enough of the face's bare skin.
        AssetError: the head has no UVs or dense landmarks.
    """
    if not len(views) or len(views) != len(curves):
        raise TakeError(f"{len(views)} pictures and {len(curves)} expressions do not make a person's detail.")
    maps = wrinkle_maps(model, size)
    surface, reliefs = skin_surface(model, size), []
    for number, view in enumerate(views):
        progress("Reading the skin", number, len(views))
        reliefs.append(relief_of_view(model, surface, view))
    progress("Reading the skin", len(views), len(views))
    trust = np.stack([r.trust for r in reliefs])
    if float((trust.max(axis=0) > 0.3).mean()) < 0.02:
        raise TakeError("Too little of the face's bare skin is seen to take its detail: choose a sharper, nearer view.")
    acting = folding(np.asarray(curves, np.float64))
    shares, shifted = _shares(maps, reliefs, acting)
    total, weight = np.zeros(trust.shape[1:], np.float32), np.full(trust.shape[1:], 1e-6, np.float32)
    for relief, act in zip(reliefs, acting, strict=True):
        moving = sum((np.float32(s * a) * m for s, a, m in zip(shares, act, shifted, strict=True) if a > 0.02), 0.0)
        # A quiet face shows its relief as it is; of an active one the guess of what moves has to come off first.
        trusted = relief.trust * np.float32(1 / (1 + _LIVELY * act.max()))
        total += trusted * (relief.height - moving)
        weight += trusted
    known = np.clip(trust.max(axis=0), 0, 1)
    # What lies beside masked skin is half-known and often wrong; nothing of what is left is deeper than that.
    height = 1e-3 * np.clip(total / weight, -_DEEPEST, _DEEPEST) * np.clip((known - 0.25) / 0.5, 0, 1)
    return PersonDetail(
        model.name, model.digest, surface.window, height.astype(np.float32), known, shares, source, len(views)
    )  # fmt: skip


def recover_from_take(
    model: HeadModel, take: Take, *, frames: int = 8, size: int = SIZE, progress: Progress = silent
) -> PersonDetail:
    """A person's detail from the footage of a take: its photo, or frames of a clip in which the face does most.

    Args:
        model: the head of the take.
        take: the performance; its footage is read.
        frames: at most how many frames are looked at.
        size: texels to a side of the UV square.
        progress: called between frames; may raise ``Cancelled``.

    Raises:
        TakeError: the take does not say where the head is, or no frame shows the skin.
        MediaError: the footage is not there any more or cannot be read.
    """
    rows = choose_detail_rows(model, take, frames)
    views = take_views(model, take, rows=rows)
    groups = {k: np.asarray(v, np.float64)[rows] for k, v in take.raw.items() if len(v)}
    curves = np.clip(arkit_from_groups(model, groups), 0, 1)
    return recover_detail(model, views, curves, size=size, source=take.info.source, progress=progress)


def choose_detail_rows(model: HeadModel, take: Take, count: int) -> list[int]:
    """Rows of a take to look at, in order: half of them of a quiet face, half where groups act most.

    Raises:
        TakeError: the take does not say where the head is.
    """
    if len(take) == 1:
        choose_rows(model, take, 1)
        return [0]
    quiet = [rows[0] for rows in choose_rows(model, take, max(1, count // 2))]
    groups = {k: np.asarray(v, np.float64) for k, v in take.raw.items() if len(v)}
    acting = folding(np.clip(arkit_from_groups(model, groups), 0, 1))
    turn = np.linalg.norm(np.asarray(take.raw["rotation"], np.float64)[:, :2], axis=1)
    good = np.clip(1 - turn / 0.8, 0, 1)
    if "visibility" in take.raw:
        good = good * (np.asarray(take.raw["visibility"])[:, 0] > 0.5)
    gain = acting * good[:, None]
    chosen = list(dict.fromkeys(quiet))
    best = gain[chosen].max(axis=0)
    while len(chosen) < min(count, len(take)):
        # The frame that adds most to what has been seen of all groups together.
        added = np.clip(gain - best, 0, None).sum(axis=1)
        row = int(added.argmax())
        if added[row] < 0.05:
            break
        chosen.append(row)
        best = np.maximum(best, gain[row])
    return sorted(set(chosen))


def _shares(maps: WrinkleMaps, reliefs: list[ReliefView], acting: Floats) -> tuple[Floats, list[Floats]]:
    """(G,) the person's share of each group, and its map (H, W) in mm where this person has it."""
    broad = BROAD / reliefs[0].pitch
    shares, placed = np.ones(len(GROUPS)), []
    window = maps.surface.window
    covered = maps.surface.as_map(np.ones(len(maps.surface.texels), np.float32))
    for index in range(len(GROUPS)):
        generic = band(1e3 * maps.group_map(index), covered, 0.0, broad)
        rows, columns = np.nonzero(np.abs(generic) > 0.02)
        if not len(rows):
            placed.append(generic)
            continue
        margin = 2 * _SHIFT
        top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
        end, right = min(rows.max() + margin + 1, window.height), min(columns.max() + margin + 1, window.width)
        box = (slice(top, end), slice(left, right))
        shift, values, spread = _match(generic[box], reliefs, box, acting[:, index])
        placed.append(_moved(generic, shift))
        known = np.isfinite(spread)
        shares[index] = _line(values[known], spread[known], acting[known, index])[1]
    return np.clip(shares, _LEAST, _MOST), placed


def _match(
    generic: Floats, reliefs: list[ReliefView], box: tuple[slice, slice], acting: Floats
) -> tuple[tuple[int, int], Floats, Floats]:
    """Where the group lies in a person, and how high it is in each picture: by the shading that it would give.

    Args:
        generic: (h, w) the group's height in mm within ``box``.
        reliefs: of the pictures.
        box: a part of the maps.
        acting: (T,) how far the group is folded in each.

    Returns:
        (rows, columns) by which the person's folds lie beside the generic ones, heights (T,) in units of the generic
        group, and their standard deviations (T,), inf where the group is not seen.
    """
    patterns = [r.expected(generic, box) for r in reliefs]
    details, trusts = [r.detail[box] for r in reliefs], [r.trust[box] for r in reliefs]
    offsets = [(r, c) for r in range(-_SHIFT, _SHIFT + 1, 2) for c in range(-_SHIFT, _SHIFT + 1, 2)]
    best = np.argsort(-acting)[:3]
    score = np.zeros(len(offsets))
    for number in best:
        alike = [_alike(_moved(patterns[number], o), details[number], trusts[number]) for o in offsets]
        score += (0.1 + acting[number]) * np.array(alike)
    far = np.hypot(*np.array(offsets, float).T) / _SHIFT
    shift = offsets[int((score - 0.15 * (0.1 + acting[best]).sum() * far).argmax())]
    values, spread = np.zeros(len(reliefs)), np.full(len(reliefs), np.inf)
    for number, (pattern, detail, trust) in enumerate(zip(patterns, details, trusts, strict=True)):
        own = _moved(pattern, shift)
        power, whole = float((trust * own * own).sum()), float((own * own).sum())
        if power < 0.25 * whole or whole < 1e-9:
            continue
        values[number] = float((trust * own * detail).sum()) / power
        # What the same pattern finds where it does not belong is chance.
        chance = [_moved(own, o) for o in ((9, 0), (-9, 0), (0, 9), (0, -9), (11, 11), (-11, 11))]
        false = [float((trust * m * detail).sum()) / max(float((trust * m * m).sum()), 0.2 * power) for m in chance]
        spread[number] = 0.08 + float(np.sqrt(np.mean(np.square(false))))
    return shift, values, spread


def _alike(pattern: Floats, values: Floats, trust: Floats) -> float:
    """-1..1 correlation of two maps."""
    both = float((trust * pattern * values).sum())
    return both / (np.sqrt(float((trust * pattern**2).sum()) * float((trust * values**2).sum())) + 1e-9)


def _moved(values: Floats, shift: tuple[int, int]) -> Floats:
    """The map moved by whole rows and columns, zeros coming in."""
    out = np.zeros_like(values)
    rows, columns = values.shape
    r, c = shift
    out[max(r, 0) : rows + min(r, 0), max(c, 0) : columns + min(c, 0)] = values[
        max(-r, 0) : rows + min(-r, 0), max(-c, 0) : columns + min(-c, 0)
    ]
    return out


def _line(values: Floats, spread: Floats, acting: Floats) -> Floats:
    """(2,) height at rest and share: the line through heights over activation, with the priors of this module."""
    precision = np.linalg.inv(_SPREAD)
    design = np.stack([np.ones_like(acting), acting], axis=1)
    weight = 1 / spread**2
    return np.linalg.solve(
        precision + design.T @ (weight[:, None] * design), precision @ _MEAN + design.T @ (weight * values)
    )  # fmt: skip
