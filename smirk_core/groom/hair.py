# SPDX-License-Identifier: Apache-2.0
"""Cuts of hair for the open head: a cap close to the skin and strips over it, made when asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from .cards import Flow, cap, grow_cards
from .hull import head_hull
from .roots import around, hair_height, sample_roots
from .wear import Wear, joined

__all__ = ["HAIR", "HairCut", "hair", "hair_cut"]

Floats = npt.NDArray[np.floating[Any]]
Way = Literal["down", "back", "forward", "side", "out", "tied"]


@dataclass(frozen=True)
class HairCut:
    """A cut.

    Attributes:
        way: where hair goes: ``down`` from a parting, ``back``, ``forward`` onto the forehead, to one ``side``,
            ``out`` on all sides, or ``tied`` at ``knot``.
        top, sides: metres of length on the crown and at the temples and nape; ``fringe``: over the forehead.
        volume: metres that hair stands off the head; lift: how steeply it leaves the skin.
        weight: how much it falls; curl: metres of its waves.
        count, width: number and metres of the strips; steps: their pieces.
        receding, crown: see :func:`smirk_core.groom.roots.hair_height`.
        parting: metres of the parting to the subject's left.
        knot: (3,) place of a bun's or tail's knot from the middle between the eyes, metres.
        bun: metres of a bun's radius, 0 none; tail: metres of a tail's length.
        over: metres of the cap over the skin; cap: ``full``, ``buzz`` or none.
    """

    way: Way = "back"
    top: float = 0.05
    sides: float = 0.02
    fringe: float = 0.04
    volume: float = 0.012
    lift: float = 0.5
    weight: float = 0.15
    curl: float = 0.0
    count: int = 420
    width: float = 0.011
    steps: int = 4
    receding: float = 0.0
    crown: float = 0.0
    parting: float = 0.0
    knot: tuple[float, float, float] = (0.0, 0.03, -0.185)
    bun: float = 0.0
    tail: float = 0.0
    over: float = 0.0025
    cap: Literal["full", "buzz", ""] = "full"
    seed: int = 1


_SHORT = HairCut()
_LONG = replace(_SHORT, way="down", top=0.30, sides=0.26, fringe=0.26, weight=0.85, lift=0.25, volume=0.010,
                count=520, width=0.014, steps=10, parting=0.012)  # fmt: skip
HAIR: MappingProxyType[str, HairCut] = MappingProxyType({
    "buzz": HairCut(count=0, cap="buzz", over=0.0016),
    "crop": replace(_SHORT, way="forward", top=0.028, sides=0.012, fringe=0.022, volume=0.008, lift=0.9, count=820,
                    width=0.006, steps=3),
    "short": replace(_SHORT, way="side", top=0.060, sides=0.022, fringe=0.065, volume=0.014, parting=0.03, count=520),
    "swept": replace(_SHORT, way="back", top=0.085, sides=0.03, fringe=0.09, volume=0.016, lift=0.8, count=520),
    "receding": replace(_SHORT, way="back", top=0.035, sides=0.02, fringe=0.03, volume=0.006, lift=0.3, receding=0.8,
                        crown=0.35, count=720, width=0.0065),
    "bald": replace(_SHORT, way="back", top=0.02, sides=0.02, fringe=0.02, volume=0.004, lift=0.2, receding=1.0,
                    crown=1.45, count=640, width=0.0055, steps=3),
    "bob": replace(_LONG, top=0.20, sides=0.13, fringe=0.15, volume=0.014, count=560),
    "fringe": replace(_LONG, way="forward", top=0.2, sides=0.16, fringe=0.075, volume=0.012, count=620),
    "long": _LONG,
    "wavy": replace(_LONG, curl=0.007, volume=0.018, lift=0.5, width=0.012, count=560),
    "afro": replace(_SHORT, way="out", top=0.055, sides=0.045, fringe=0.04, volume=0.03, lift=2.2, curl=0.011,
                    count=1150, width=0.013, weight=0.0, steps=3),
    "curls": replace(_SHORT, way="down", top=0.075, sides=0.055, fringe=0.05, volume=0.024, lift=1.3, curl=0.010,
                     count=760, width=0.011, weight=0.35, steps=5),
    "ponytail": replace(_SHORT, way="tied", top=0.30, sides=0.2, fringe=0.3, volume=0.005, lift=0.1, weight=0.0,
                        count=420, width=0.013, steps=7, tail=0.24),
    "bun": replace(_SHORT, way="tied", top=0.30, sides=0.2, fringe=0.3, volume=0.005, lift=0.1, weight=0.0, count=420,
                   width=0.013, steps=7, knot=(0.0, 0.075, -0.165), bun=0.032),
})  # fmt: skip


def hair(name: str) -> HairCut:
    """The cut called ``name``.

    Raises:
        AssetError: there is none.
    """
    if name not in HAIR:
        raise AssetError(f"There is no hair '{name}'; there are {', '.join(HAIR)}.")
    return HAIR[name]


def hair_cut(model: HeadModel, cut: HairCut) -> Wear:
    """Cut the hair of a head.

    Raises:
        AssetError: the head has no regions that say where its scalp and ears are.
    """
    missing = {"skin", "ears", "scalp", "sockets", "lips"} - set(model.regions)
    if missing:
        raise AssetError(
            f"The head '{model.name}' has no regions {', '.join(sorted(missing))}, so no hair grows on it."
        )
    points = model.template.astype(np.float64)
    height = hair_height(model, points, cut.receding, cut.crown)
    allowed = model.regions["skin"] & ~model.regions["ears"] & ~model.regions["sockets"]
    parts = []
    if cut.cap:
        soft = 0.42 if cut.cap == "buzz" else 0.3
        parts.append(cap(model, height, allowed, over=cut.over, soft=soft, material="cap"))
    if cut.count:
        parts.append(_strips(model, cut, height, allowed))
    if cut.bun:
        parts.append(_bun(model, cut, parts[-1]))
    if cut.tail:
        parts.append(_tail(model, cut, parts[-1]))
    return joined(parts)


def _strips(model: HeadModel, cut: HairCut, height: Floats, allowed: npt.NDArray[np.bool_]) -> Wear:
    chance = np.clip(height / 0.1, 0, 1)
    roots = sample_roots(model, allowed & (height > -0.05), chance, cut.count, cut.seed)
    random = np.random.default_rng(cut.seed + 1)
    middle = (model.joint_regressor[3:5] @ model.template).mean(axis=0)
    up = np.clip((roots.points[:, 1] - middle[1] - 0.03) / 0.05, 0, 1)
    turn = np.abs(around(model, roots.points))
    front = np.clip((58 - turn) / 25, 0, 1) * up
    length = cut.sides + (cut.top - cut.sides) * up
    length = length + (cut.fringe - length) * front
    length *= random.uniform(0.8, 1.08, len(length))
    if cut.way == "tied":  # just as far as the knot
        length = 1.12 * np.linalg.norm(roots.points - (middle + cut.knot), axis=1)
    volume = np.full(len(length), cut.volume) * (0.45 + 0.55 * up)
    return grow_cards(
        model, roots, _flow(model, cut, middle), length, lift=cut.lift, volume=volume, weight=cut.weight,
        width=cut.width, curl=cut.curl, cling=0.0 if cut.way == "out" else 0.6, steps=cut.steps, seed=cut.seed + 2,
    )  # fmt: skip


def _flow(model: HeadModel, cut: HairCut, middle: Floats) -> Flow:
    hull = head_hull(model)

    def flow(points: Floats, _: Floats) -> Floats:
        place = points - middle
        side = np.tanh((place[:, 0] - cut.parting) / 0.012)
        none = np.zeros(len(points))
        high = np.clip((place[:, 1] - 0.04) / 0.05, 0, 1)
        if cut.way == "tied":
            return middle + cut.knot - points
        if cut.way == "out":
            return hull.outward(points)
        if cut.way == "down":
            apart = np.where(place[:, 0] > cut.parting, 1, -1) * np.maximum(np.abs(side), 0.6)
            return np.stack([apart * high, -1.0 + 0.95 * high, -0.25 - 0.3 * high], axis=1)
        if cut.way == "forward":
            ahead = np.clip((place[:, 2] + 0.11) / 0.05, -1, 1)
            return np.stack([0.2 * side, none - 0.9, 1.3 * ahead * high], axis=1)
        if cut.way == "side":
            return np.stack([-0.9 * high * np.sign(cut.parting or 1), -0.35 + none, 0.15 - 1.1 * (1 - high)], axis=1)
        return np.stack([0.05 * side, -0.45 - 0.5 * (1 - high), -1.0 + none], axis=1)

    return flow


def _held(model: HeadModel, strips: Wear, knot: Floats, count: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Corners and weights of the skin nearest to a knot, for all of ``count`` vertices."""
    own = np.flatnonzero(model.regions["scalp"])
    nearest = own[np.linalg.norm(model.template[own] - knot, axis=1).argmin()]
    return np.full((count, 3), nearest), np.tile([1.0, 0.0, 0.0], (count, 1))


def _bun(model: HeadModel, cut: HairCut, strips: Wear) -> Wear:
    """A flattened ball wound with hair."""
    knot = (model.joint_regressor[3:5] @ model.template).mean(axis=0) + cut.knot
    out = head_hull(model).outward(knot[None])[0]
    rows, turns = 9, 20
    polar = np.linspace(0.0, 0.78 * np.pi, rows)[:, None]
    turn = np.arange(turns + 1)[None] * (2 * np.pi / turns)
    one = np.cross(out, [1.0, 0.0, 0.0])
    one /= np.linalg.norm(one)
    two = np.cross(out, one)
    wound = cut.bun * (1 + 0.07 * np.sin(3 * turn + 5 * polar))
    ring = np.sin(polar)[..., None] * (np.cos(turn)[..., None] * one + np.sin(turn)[..., None] * two)
    points = knot + out * 0.35 * cut.bun + wound[..., None] * (ring + 0.78 * np.cos(polar)[..., None] * out)
    points = points.reshape(-1, 3)
    grid = np.arange(rows * (turns + 1)).reshape(rows, turns + 1)
    polygons = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4)
    # Strands run round it in a spiral, over the full part of the picture.
    u = (turn / (2 * np.pi) * 0.25 + polar * 0.35) % 1 + 0 * polar
    uvs = np.stack([0.02 + 0.2 * polar / np.pi + 0 * turn, 0.08 + 0.35 * np.abs(2 * u - 1)], axis=-1).reshape(-1, 2)
    corners, weights = _held(model, strips, knot, len(points))
    return Wear(points, polygons, uvs, np.full(len(polygons), "strands"), corners, weights)


def _tail(model: HeadModel, cut: HairCut, strips: Wear) -> Wear:
    """Strips that hang from the knot, spread around a core."""
    knot = (model.joint_regressor[3:5] @ model.template).mean(axis=0) + cut.knot
    random = np.random.default_rng(cut.seed + 5)
    count, steps = 46, 8
    s = np.linspace(0, 1, steps + 1)
    core = knot + np.stack(
        [0 * s, -cut.tail * s**1.25, -0.055 * np.sin(np.pi * np.minimum(1, 0.3 + s * 0.75)) + 0.03], -1
    )
    turn = random.uniform(0, 2 * np.pi, count)
    thick = np.interp(s, [0, 0.12, 0.5, 1], [0.008, 0.020, 0.024, 0.006])
    radius = thick * random.uniform(0.3, 1.0, (count, 1))
    away = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], axis=-1)[:, None]
    line = core[None] + radius[..., None] * away
    line[..., 1] -= 0.03 * random.uniform(-1, 1, (count, 1)) * s
    side = np.stack([-np.sin(turn), 0 * turn, np.cos(turn)], axis=-1)[:, None]
    wide = 0.5 * np.interp(s, [0, 0.2, 0.8, 1], [0.006, 0.014, 0.012, 0.005])[None, :, None]
    strip = np.stack([line - side * wide, line + side * wide], axis=2)
    column = random.integers(0, 4, count)[:, None, None]
    uv = np.stack(np.broadcast_arrays((column + np.array([0.03, 0.97])) / 4, 0.01 + 0.98 * s[None, :, None]), axis=-1)
    rung = 2 * np.arange(steps)[:, None] + np.array([0, 1, 3, 2])
    polygons = (2 * (steps + 1) * np.arange(count)[:, None, None] + rung).reshape(-1, 4)
    points = strip.reshape(-1, 3)
    corners, weights = _held(model, strips, knot, len(points))
    return Wear(points, polygons, uv.reshape(-1, 2), np.full(len(polygons), "strands"), corners, weights)
