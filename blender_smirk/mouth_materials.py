# SPDX-License-Identifier: GPL-3.0-or-later
"""Node materials of the mouth: teeth, gums, tongue and the cavity, all wet.

Colours are sRGB. The plain ``Base Color`` is set as well where nodes are connected to it: exporters fall back to it.
"""

from __future__ import annotations

from collections.abc import Callable

from .nodes import Nodes, Socket

__all__ = ["MOUTH_BUILDERS", "MOUTH_COLOURS", "TEETH_YELLOW"]

Colour = tuple[float, float, float]
TEETH: Colour = (0.86, 0.82, 0.73)
GUMS: Colour = (0.74, 0.40, 0.38)
TONGUE: Colour = (0.74, 0.42, 0.40)
CAVITY: Colour = (0.36, 0.12, 0.11)
# The lightest and the yellowest teeth; the value node TEETH_YELLOW goes from one (0) to the other (1).
TEETH_YELLOW = "Teeth yellow"
MOUTH_COLOURS: dict[str, Colour] = {
    "Teeth light": (0.93, 0.91, 0.86),
    "Teeth dark": (0.77, 0.67, 0.48),
    "Gums": GUMS,
    "Tongue": TONGUE,
}


def _wet(nodes: Nodes, weight: float, roughness: float) -> None:
    """A film of spit: a clear coat, so that highlights stay sharp over a soft surface."""
    nodes.set("Coat Weight", weight)
    nodes.set("Coat Roughness", roughness)


def _flesh(nodes: Nodes, weight: float, scale: float) -> None:
    """Light that spreads below the surface, red the furthest; ``scale`` in metres."""
    nodes.set("Subsurface Weight", weight)
    nodes.set("Subsurface Radius", (1.0, 0.35, 0.25))
    nodes.set("Subsurface Scale", scale)


def _named(nodes: Nodes, name: str) -> Socket:
    return nodes.named(name, MOUTH_COLOURS[name])


def _teeth(nodes: Nodes) -> None:
    nodes.plain(TEETH, roughness=0.28, specular=0.5)
    nodes.set("Subsurface Weight", 0.3)
    nodes.set("Subsurface Radius", (1.0, 0.8, 0.6))
    nodes.set("Subsurface Scale", 0.0015)
    _wet(nodes, 0.6, 0.06)
    # Enamel is not even: a slow change of shade from tooth to tooth and within one.
    shade = nodes.ramp(nodes.noise(scale=14.0, detail=2.0, roughness=0.5), 0.3, 0.7, -0.16, 0.16)
    yellow = nodes.plus(nodes.number(TEETH_YELLOW, 0.35), shade)
    nodes.connect(nodes.mix(yellow, _named(nodes, "Teeth light"), _named(nodes, "Teeth dark")), "Base Color")


def _gums(nodes: Nodes) -> None:
    nodes.plain(GUMS, roughness=0.35, specular=0.5)
    _flesh(nodes, 0.25, 0.003)
    _wet(nodes, 0.7, 0.08)
    stain = nodes.ramp(nodes.noise(scale=18.0, detail=3.0, roughness=0.6), 0.4, 0.75, 0.0, 0.35)
    nodes.connect(nodes.mix(stain, _named(nodes, "Gums"), (0.58, 0.24, 0.24)), "Base Color")
    nodes.bump(nodes.noise(scale=90.0, detail=2.0, roughness=0.5), strength=0.12, distance=0.0005)


def _tongue(nodes: Nodes) -> None:
    nodes.plain(TONGUE, roughness=0.5, specular=0.5)
    _flesh(nodes, 0.3, 0.004)
    _wet(nodes, 0.45, 0.18)
    coating = nodes.ramp(nodes.noise(scale=10.0, detail=3.0, roughness=0.6), 0.35, 0.7, 0.0, 0.4)
    nodes.connect(nodes.mix(coating, _named(nodes, "Tongue"), (0.80, 0.56, 0.53)), "Base Color")
    # Papillae.
    nodes.bump(nodes.noise(scale=150.0, detail=2.0, roughness=0.6), strength=0.35, distance=0.0006)


def _cavity(nodes: Nodes) -> None:
    """Cheeks and throat from inside: dark, or light from behind the lips would betray that the head is hollow."""
    nodes.plain(CAVITY, roughness=0.4, specular=0.4)
    _flesh(nodes, 0.1, 0.003)
    _wet(nodes, 0.4, 0.15)


MOUTH_BUILDERS: dict[str, Callable[[Nodes], None]] = {
    "mouth": _cavity,
    "teeth": _teeth,
    "gums": _gums,
    "tongue": _tongue,
}
