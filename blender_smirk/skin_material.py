# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin and lips as nodes: no image files, any tone, and a handful of numbers that can be turned live.

Named value nodes hold the numbers (:data:`NUMBERS`), named colour nodes the colours; :mod:`.look` turns both.
Places come from vertex attributes (:mod:`.paint`, :mod:`.skin_paint`), lengths are metres of the rest shape.
Light wanders below the surface as measured on skin (Jensen et al. 2001): red farthest, some millimetres.
"""

from __future__ import annotations

from typing import Any

from smirk_core.skin.look import SkinLook
from smirk_core.skin.maps import SCATTER_RADIUS

from .nodes import Nodes
from .paint import PAINT
from .skin_paint import REST, SKIN_PAINT

__all__ = ["NUMBERS", "SKIN_BUILDERS", "SKIN_COLOURS", "SKIN_ROUGHNESS"]

Colour = tuple[float, float, float]
SKIN_COLOURS: dict[str, Colour] = {
    "Skin tone": (0.74, 0.60, 0.52),
    "Lips": (0.63, 0.42, 0.40),
    "Flush": (0.70, 0.47, 0.42),
    "Scalp": (0.56, 0.48, 0.44),
}
_DEFAULT = SkinLook()
# Value nodes by name -> (field of a SkinLook, its value at first). The age counts from 25 to 75 years as 0 to 1.
NUMBERS: dict[str, tuple[str, float]] = {
    "Redness": ("redness", _DEFAULT.redness),
    "Freckles": ("freckles", _DEFAULT.freckles),
    "Age": ("age", 0.1),
    "Oiliness": ("oiliness", _DEFAULT.oiliness),
    "Pores": ("pores", _DEFAULT.pores),
    "Sockets": ("sockets", _DEFAULT.sockets),
    "Stubble": ("stubble", _DEFAULT.stubble),
    "Shaved hair": ("scalp", _DEFAULT.scalp),
}
SKIN_ROUGHNESS = "Skin roughness"
_SCATTER = 0.4  # of the measured radii: a head's creases are finer in the flesh than in the mesh


def _scatter(nodes: Nodes) -> None:
    nodes.set("Subsurface Weight", 1.0)
    red, green, blue = SCATTER_RADIUS
    nodes.set("Subsurface Radius", (1.0, green / red, blue / red))
    nodes.set("Subsurface Scale", _SCATTER * red)


def _skin(nodes: Nodes) -> None:
    """Skin and lips are one material, blended by soft masks: a hard edge of colour would follow the polygons."""
    nodes.plain(SKIN_COLOURS["Skin tone"], roughness=0.50, specular=0.36)
    _scatter(nodes)
    number = {name: nodes.number(name, value) for name, (_, value) in NUMBERS.items()}
    lips, flush, scalp = nodes.masks(PAINT)
    dark, oily, beard = nodes.masks(SKIN_PAINT)
    sun, rest = nodes.alpha(SKIN_PAINT), nodes.vector(REST)
    tone, red, bare, lip = (nodes.named(name, SKIN_COLOURS[name]) for name in ("Skin tone", "Flush", "Scalp", "Lips"))

    wide = nodes.noise(scale=45.0, detail=3.0, roughness=0.6, vector=rest)
    close = nodes.noise(scale=330.0, detail=3.0, roughness=0.65, vector=rest)
    colour = nodes.mix(nodes.ramp(wide, 0.35, 0.75, 0.0, 0.30), tone, red)
    colour = nodes.mix(nodes.ramp(close, 0.30, 0.72, 0.0, 0.60), colour, (0.93, 0.85, 0.82), "MULTIPLY")
    uneven = nodes.times(nodes.ramp(wide, 0.45, 0.62, 0.75, 0.0), number["Age"])
    colour = nodes.mix(uneven, colour, (0.94, 0.86, 0.78), "MULTIPLY")
    patchy = nodes.ramp(close, 0.25, 0.75, 0.55, 1.35)
    colour = nodes.mix(nodes.times(nodes.times(flush, patchy), number["Redness"]), colour, red)
    colour = nodes.mix(nodes.times(nodes.times(dark, number["Sockets"]), 0.8), colour, (0.87, 0.75, 0.74), "MULTIPLY")
    colour = _freckles(nodes, colour, rest, sun, number)
    colour = _shaved(nodes, colour, rest, beard, scalp, bare, number)
    lines = nodes.noise(scale=1.0, detail=1.0, roughness=0.5, vector=nodes.scaled(rest, (420.0, 110.0, 110.0)))
    streaks = nodes.mix(nodes.ramp(lines, 0.35, 0.65, 0.5, 0.0), lip, (0.88, 0.82, 0.82), "MULTIPLY")
    colour = nodes.mix(nodes.ramp(lips, 0.1, 0.85, 0.0, 0.95), colour, streaks)
    nodes.connect(colour, "Base Color")

    base = nodes.ramp(lips, 0.2, 0.9, 0.54, 0.40, SKIN_ROUGHNESS)
    gloss = nodes.times(nodes.times(nodes.plus(nodes.times(oily, 0.13), 0.06), number["Oiliness"]), -1.0)
    nodes.connect(nodes.plus(nodes.plus(base, gloss), nodes.ramp(close, 0.3, 0.7, -0.03, 0.05)), "Roughness")
    _relief(nodes, rest, lips, oily, lines, number)


def _freckles(nodes: Nodes, colour: Any, rest: Any, sun: Any, number: dict[str, Any]) -> Any:
    """Small spots where the sun shines, and with the years larger ones."""
    bent = nodes.noise(scale=260.0, detail=2.0, roughness=0.5, vector=rest)
    for scale, name, share, reach in ((330.0, "Freckles", 0.45, 0.30), (95.0, "Age", 0.85, 0.24)):
        distance, chance = nodes.cells(scale, rest)
        lucky, strong, _ = nodes.channels(chance)
        ragged = nodes.plus(distance, nodes.ramp(bent, 0.3, 0.7, -0.12, 0.12))
        spot = nodes.times(
            nodes.ramp(ragged, 0.12, reach, 1.0, 0.0), nodes.ramp(lucky, share - 0.1, share + 0.1, 0.0, 1.0)
        )
        spot = nodes.times(nodes.times(spot, nodes.ramp(sun, 0.05, 0.6, 0.0, 1.0)), nodes.plus(strong, 0.2))
        amount = nodes.times(spot, nodes.times(number[name], 0.9))
        colour = nodes.mix(amount, colour, (0.72, 0.56, 0.44) if name == "Freckles" else (0.80, 0.68, 0.58), "MULTIPLY")
    return colour


def _shaved(nodes: Nodes, colour: Any, rest: Any, beard: Any, scalp: Any, bare: Any, number: dict[str, Any]) -> Any:
    """The shadow of shaved hair: its roots as dots, and the grey that shines through the skin."""
    distance, _ = nodes.cells(1000.0, rest)
    roots = nodes.ramp(distance, 0.10, 0.34, 1.0, 0.30)
    colour = nodes.mix(nodes.times(nodes.times(scalp, number["Shaved hair"]), roots), colour, bare)
    amount = nodes.times(nodes.times(beard, number["Stubble"]), nodes.plus(nodes.times(roots, 0.7), 0.2))
    return nodes.mix(amount, colour, (0.56, 0.55, 0.58), "MULTIPLY")


def _relief(nodes: Nodes, rest: Any, lips: Any, oily: Any, lines: Any, number: dict[str, Any]) -> None:
    """Pores, the grain between them, and the lips' lines; heights in parts of 0.1 mm."""
    distance, chance = nodes.cells(760.0, rest)
    lucky, _, _ = nodes.channels(chance)
    hole = nodes.times(nodes.ramp(distance, 0.05, 0.42, -0.75, 0.0), nodes.ramp(lucky, 0.2, 0.7, 0.3, 1.0))
    deep = nodes.times(nodes.plus(nodes.times(oily, 0.75), 0.25), number["Pores"])
    grain = nodes.ramp(nodes.noise(scale=1500.0, detail=2.0, roughness=0.6, vector=rest), 0.2, 0.8, -0.16, 0.16)
    soft = nodes.ramp(nodes.noise(scale=420.0, detail=2.0, roughness=0.5, vector=rest), 0.2, 0.8, -0.2, 0.2)
    rough = nodes.times(soft, nodes.plus(number["Age"], 0.6))
    skin = nodes.plus(nodes.plus(nodes.times(hole, deep), grain), rough)
    furrows = nodes.ramp(lines, 0.30, 0.50, -0.6, 0.0)
    height = nodes.plus(nodes.times(skin, nodes.ramp(lips, 0.1, 0.7, 1.0, 0.1)), nodes.times(furrows, lips))
    nodes.bump(height, strength=1.0, distance=0.0001)


def _lips(nodes: Nodes) -> None:
    _skin(nodes)
    nodes.colour(SKIN_COLOURS["Lips"])


SKIN_BUILDERS = {"skin": _skin, "lips": _lips}
