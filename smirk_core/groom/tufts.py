# SPDX-License-Identifier: Apache-2.0
"""Pictures of hairs for the tufts of brows and lashes: one cell a tuft, so that a look decides hair by hair.

The cards are laid out by :mod:`smirk_core.heads.build_brows` and :mod:`smirk_core.heads.build_lashes`; a thin brow
leaves the cells of its edges empty, a grey one mixes white hairs in. No picture of a person is involved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.build_brows import BROW_CELLS, BROW_WIDTHS, brow_cards
from ..heads.build_lashes import LASH_CELLS, LASH_WIDTHS, LOWER, UPPER

__all__ = ["BROWS", "HAIR_COLOURS", "LASHES", "TuftLook", "brow_picture", "lash_picture"]

Floats = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
_CELL = (24, 96)  # pixels across and along a tuft
# sRGB of hair as it looks in daylight.
HAIR_COLOURS: MappingProxyType[str, Colour] = MappingProxyType({
    "black": (0.085, 0.070, 0.065),
    "dark brown": (0.160, 0.110, 0.080),
    "brown": (0.270, 0.180, 0.120),
    "light brown": (0.420, 0.300, 0.200),
    "blond": (0.640, 0.500, 0.330),
    "red": (0.450, 0.200, 0.100),
    "grey": (0.560, 0.550, 0.540),
    "white": (0.860, 0.850, 0.830),
})  # fmt: skip


@dataclass(frozen=True)
class TuftLook:
    """How brows or lashes look.

    Attributes:
        colour: sRGB of the hair.
        grey: share of hairs that have lost it, 0 to 1.
        density: how many of the possible hairs there are, 0 to 1.
        thickness: how much of a brow's height is grown over, 0 to 1 (lashes: unused).
        fineness: width of a hair in mm at its root.
        length: how far along its card a hair reaches, 0 to 1.
        seed: of the hairs' disorder.
    """

    colour: Colour = HAIR_COLOURS["dark brown"]
    grey: float = 0.0
    density: float = 0.75
    thickness: float = 0.85
    fineness: float = 0.085
    length: float = 0.9
    seed: int = 5


_BROW = TuftLook()
BROWS: MappingProxyType[str, TuftLook] = MappingProxyType({
    "natural": _BROW,
    "thin": replace(_BROW, thickness=0.42, density=0.7, fineness=0.075),
    "thick": replace(_BROW, thickness=1.0, density=0.92, fineness=0.1, length=1.0),
    "light": replace(_BROW, density=0.5, fineness=0.07, colour=HAIR_COLOURS["light brown"]),
    "dark": replace(_BROW, density=0.9, colour=HAIR_COLOURS["black"]),
    "bushy": replace(_BROW, thickness=1.0, density=1.0, fineness=0.125, length=1.0, seed=9),
    "none": replace(_BROW, density=0.0),
})  # fmt: skip
_LASH = TuftLook(colour=(0.09, 0.07, 0.06), density=0.85, fineness=0.09, length=0.95)
LASHES: MappingProxyType[str, TuftLook] = MappingProxyType({
    "natural": _LASH,
    "thin": replace(_LASH, density=0.5, fineness=0.07, length=0.8),
    "thick": replace(_LASH, density=1.0, fineness=0.12, length=1.0),
    "light": replace(_LASH, colour=HAIR_COLOURS["light brown"], fineness=0.075),
    "dark": replace(_LASH, colour=(0.03, 0.025, 0.02)),
    "none": replace(_LASH, density=0.0),
})  # fmt: skip


@lru_cache(maxsize=1)
def _brow_places() -> tuple[Floats, Floats]:
    cards = brow_cards()
    return cards.along, cards.across


def brow_picture(look: TuftLook) -> npt.NDArray[np.uint8]:
    """(H, W, 4) sRGB and straight alpha, top row first, for the brow cards of the open head."""
    along, across = _brow_places()
    random = np.random.default_rng(look.seed)
    # A brow's edge is a matter of chance, not a line; thinner towards the tail where it is thin at all.
    edge = look.thickness * (1.1 - 0.15 * along) - np.abs(across + 0.1 * (1 - look.thickness))
    chance = look.density * np.clip(0.5 + edge / 0.35, 0, 1)
    return _picture(look, chance, 6, BROW_CELLS, BROW_WIDTHS, random)


def lash_picture(look: TuftLook) -> npt.NDArray[np.uint8]:
    """(H, W, 4) sRGB and straight alpha, top row first, for the lash cards of the open head."""
    random = np.random.default_rng(look.seed)
    chance = np.full(UPPER + LOWER, look.density)
    chance[UPPER:] *= 0.75
    return _picture(look, chance, 4, LASH_CELLS, LASH_WIDTHS, random)


def _picture(
    look: TuftLook, chance: Floats, hairs: int, cells: tuple[int, int], widths: Floats, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw ``hairs`` candidates in each of the (K,) cells, each there with the cell's ``chance``."""
    count, (wide, tall) = len(chance), _CELL
    v = ((np.arange(tall) + 0.5) / tall)[None, :, None].astype(np.float32)  # 0 at the root
    u = ((np.arange(wide) + 0.5) / wide)[None, None, :].astype(np.float32)
    half = np.interp(v.ravel(), np.linspace(0, 1, len(widths)), widths)[None, :, None].astype(np.float32)  # mm
    alpha = np.zeros((count, tall, wide), np.float32)
    shade = np.zeros((count, tall, wide), np.float32)
    white = np.zeros((count, tall, wide), np.float32)

    def draw(low: float, high: float) -> npt.NDArray[np.float32]:
        return random.uniform(low, high, (count, 1, 1)).astype(np.float32)

    for k in range(hairs):
        there = random.random(count) < chance
        root = (k + 0.5) / hairs + draw(-0.35, 0.35) / hairs
        tip = np.clip(root + draw(-0.3, 0.3), 0.06, 0.94)
        bend, begin, reach = draw(-0.25, 0.25), draw(0.0, 0.16), look.length * draw(0.72, 1.02)
        along = np.clip((v - begin) / np.maximum(reach - begin, 0.05), 0, 1)
        middle = np.clip(root + (tip - root) * along + bend * along * (1 - along), 0.03, 0.97)
        # Real widths: cards narrow to their tips, hairs less so.
        body = 0.5 * look.fineness * draw(0.75, 1.2) * (1 - 0.75 * along**1.6) / half / 2
        soft = 0.5 / wide
        cover = np.clip((body + soft - np.abs(u - middle)) / (2 * soft), 0, 1)
        cover *= ((v > begin) & (v < reach)) * there[:, None, None]
        over = cover > alpha
        alpha = np.maximum(alpha, cover)
        shade = np.where(over, draw(0.75, 1.25) * (0.85 + 0.3 * along), shade)
        white = np.where(over, (draw(0, 1) < look.grey).astype(np.float32), white)
    # Behind the hairs stands hair too, so that filtering finds no fringe.
    shade = np.where(alpha > 0, shade, 1.0)[..., None]
    own = np.asarray(look.colour, np.float32)
    bleached = np.array(HAIR_COLOURS["white"], np.float32) * 0.92
    colour = np.where((white > 0.5)[..., None], bleached, own) if look.grey > 0 else own
    pixels = np.concatenate([np.clip(colour * shade, 0, 1), alpha[..., None]], axis=-1)[:, ::-1]  # root at the bottom
    columns, lines = cells
    sheet = np.zeros((columns * lines, tall, wide, 4), np.float32)
    sheet[..., :3] = own
    sheet[:count] = pixels
    sheet = sheet.reshape(lines, columns, tall, wide, 4).transpose(0, 2, 1, 3, 4)
    return np.rint(255 * sheet.reshape(lines * tall, columns * wide, 4)).astype(np.uint8)
