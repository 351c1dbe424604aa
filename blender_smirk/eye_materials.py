# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' materials: white with its vessels, iris, pupil, all under a film of tears.

Colours are sRGB, as a colour picker shows them.
"""

from __future__ import annotations

from collections.abc import Callable

from .nodes import Nodes
from .paint import IRIS

__all__ = ["EYE_BUILDERS", "EYE_COLOURS"]

Colour = tuple[float, float, float]
WHITE: Colour = (0.87, 0.85, 0.82)
IRIS_LIGHT: Colour = (0.50, 0.36, 0.20)
IRIS_DARK: Colour = (0.16, 0.10, 0.06)
IRIS_RING: Colour = (0.58, 0.40, 0.20)
# Colour nodes by name: what :mod:`.look` turns.
EYE_COLOURS: dict[str, Colour] = {"Iris": IRIS_LIGHT, "Iris dark": IRIS_DARK, "Iris ring": IRIS_RING}


def _wet(nodes: Nodes) -> None:
    """The film of tears: a clear coat over whatever is below."""
    nodes.set("Coat Weight", 1.0)
    nodes.set("Coat Roughness", 0.03)


def _eye_white(nodes: Nodes) -> None:
    nodes.plain(WHITE, roughness=0.35, specular=0.3)
    nodes.set("Subsurface Weight", 0.1)
    nodes.set("Subsurface Scale", 0.003)
    _wet(nodes)
    radius = nodes.length(nodes.vector(IRIS))
    # Redder towards the corners, where the small vessels are.
    vessels = nodes.noise(scale=26.0, detail=4.0, roughness=0.7)
    redness = nodes.times(nodes.ramp(radius, 1.5, 3.2, 0.0, 0.5), nodes.ramp(vessels, 0.45, 0.7, 0.1, 1.0))
    nodes.connect(nodes.mix(redness, WHITE, (0.78, 0.52, 0.47)), "Base Color")


def _iris(nodes: Nodes) -> None:
    nodes.plain(IRIS_LIGHT, roughness=0.4, specular=0.3)
    _wet(nodes)
    place = nodes.vector(IRIS)
    radius = nodes.length(place)
    # Fibres run outwards: noise over the direction only, drawn out a little along the radius.
    fibres = nodes.noise(scale=7.0, detail=4.0, roughness=0.7, vector=nodes.normalised(place))
    light, dark, ring = (nodes.named(name, EYE_COLOURS[name]) for name in ("Iris", "Iris dark", "Iris ring"))
    colour = nodes.mix(nodes.ramp(fibres, 0.3, 0.7, 0.0, 1.0), dark, light)
    colour = nodes.mix(nodes.ramp(radius, 0.35, 0.6, 0.7, 0.0), colour, ring)  # lighter round the pupil
    colour = nodes.mix(nodes.ramp(radius, 0.78, 1.0, 0.0, 0.9), colour, (0.06, 0.05, 0.05))  # the dark limbal ring
    nodes.connect(colour, "Base Color")


def _pupil(nodes: Nodes) -> None:
    nodes.plain((0.02, 0.02, 0.02), roughness=0.3, specular=0.3)
    _wet(nodes)


EYE_BUILDERS: dict[str, Callable[[Nodes], None]] = {"eye_white": _eye_white, "iris": _iris, "pupil": _pupil}
