# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' materials: white with its vessels, iris, pupil, and the clear cornea and tears in front.

What is clear is a Principled BSDF that is nearly transparent and metallic: what light it does stop it mirrors, as much
as wet tissue does. It needs neither refraction nor ray tracing, casts no shadow on the iris, stays clear in solid
view and comes out of every exporter as it is. Colours are sRGB, as a colour picker shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from smirk_core.heads.head_model import HeadModel

from .nodes import Nodes
from .paint import IRIS

__all__ = ["EYE_BUILDERS", "EYE_COLOURS", "EYE_TONES", "eye_builders"]

Colour = tuple[float, float, float]
Builders = dict[str, Callable[[Nodes], None]]
WHITE: Colour = (0.88, 0.86, 0.83)
VEINS: Colour = (0.76, 0.47, 0.42)
IRIS_LIGHT: Colour = (0.31, 0.20, 0.11)
IRIS_DARK: Colour = (0.10, 0.06, 0.04)
IRIS_RING: Colour = (0.36, 0.23, 0.11)
LIMBUS: Colour = (0.07, 0.06, 0.06)
CARUNCLE: Colour = (0.80, 0.51, 0.46)
# Colour nodes by name: what :mod:`.look` turns.
EYE_COLOURS: dict[str, Colour] = {"Iris": IRIS_LIGHT, "Iris dark": IRIS_DARK, "Iris ring": IRIS_RING}
# The colours of people's eyes, for the node "Iris".
EYE_TONES: dict[str, Colour] = {
    "dark brown": (0.18, 0.11, 0.07),
    "brown": IRIS_LIGHT,
    "amber": (0.62, 0.44, 0.20),
    "hazel": (0.50, 0.45, 0.26),
    "green": (0.42, 0.50, 0.36),
    "grey": (0.52, 0.56, 0.58),
    "blue": (0.42, 0.54, 0.66),
}
REDNESS = "Eye redness"  # the number node of the vessels: 0 none, 1 tired
# Share of light that the clear parts stop, and how much of that they mirror: 3 % of all, as water's 2 % and the
# tear film's oil do.
_CORNEA_ALPHA, _TEAR_ALPHA, _MIRROR = 0.06, 0.16, (0.74, 0.74, 0.74)


def _wet(nodes: Nodes) -> None:
    """The film of tears: a clear coat over whatever is below."""
    nodes.set("Coat Weight", 1.0)
    nodes.set("Coat Roughness", 0.03)


def _eye_white(nodes: Nodes) -> None:
    nodes.plain(WHITE, roughness=0.35, specular=0.3)
    nodes.set("Subsurface Weight", 0.1)
    nodes.set("Subsurface Scale", 0.003)
    _wet(nodes)
    place = nodes.vector(IRIS)
    radius = nodes.length(place)
    # Vessels: branched threads, denser towards the corners, and a faint flush around them.
    threads = nodes.noise(scale=34.0, detail=5.0, roughness=0.75)
    flush = nodes.noise(scale=9.0, detail=2.0, roughness=0.6)
    corner = nodes.ramp(radius, 1.25, 2.1, 0.05, 1.0)
    thread = nodes.times(nodes.ramp(threads, 0.56, 0.66, 0.0, 0.8), corner)
    soft = nodes.times(nodes.ramp(flush, 0.35, 0.75, 0.1, 0.5), corner)
    redness = nodes.times(nodes.plus(thread, soft), nodes.number(REDNESS, 0.4))
    colour = nodes.mix(redness, WHITE, VEINS)
    # The white thins out over the edge of the iris, which shines through it.
    nodes.connect(nodes.mix(nodes.ramp(radius, 0.99, 1.16, 0.6, 0.0), colour, (0.36, 0.33, 0.33)), "Base Color")


def _iris_colour(nodes: Nodes) -> None:
    nodes.plain(IRIS_LIGHT, roughness=0.5, specular=0.2)
    place = nodes.vector(IRIS)
    radius = nodes.length(place)
    # Fibres run outwards: noise over the direction only, coarse and fine.
    way = nodes.normalised(place)
    fibres = nodes.noise(scale=7.0, detail=4.0, roughness=0.7, vector=way)
    fine = nodes.noise(scale=28.0, detail=2.0, roughness=0.5, vector=way)
    light, dark, ring = (nodes.named(name, EYE_COLOURS[name]) for name in ("Iris", "Iris dark", "Iris ring"))
    colour = nodes.mix(nodes.ramp(fibres, 0.3, 0.7, 0.0, 1.0), dark, light)
    colour = nodes.mix(nodes.ramp(fine, 0.42, 0.7, 0.0, 0.5), colour, ring)
    colour = nodes.mix(nodes.ramp(radius, 0.36, 0.58, 0.7, 0.0), colour, ring)  # lighter round the pupil
    colour = nodes.mix(nodes.ramp(radius, 0.29, 0.36, 0.8, 0.0), colour, LIMBUS)  # the pupil's dark ruff
    colour = nodes.mix(nodes.ramp(radius, 0.80, 0.98, 0.0, 0.92), colour, LIMBUS)  # the dark limbal ring
    nodes.connect(colour, "Base Color")


def _iris(nodes: Nodes) -> None:
    """Of an eye without a cornea of its own."""
    _iris_colour(nodes)
    _wet(nodes)


def _pupil(nodes: Nodes) -> None:
    """Of an eye without a cornea of its own."""
    _dark(nodes)
    _wet(nodes)


def _dark(nodes: Nodes) -> None:
    nodes.plain((0.015, 0.015, 0.015), roughness=0.8, specular=0.0)


def _clear(nodes: Nodes, alpha: float) -> None:
    material: Any = nodes.material
    nodes.plain(_MIRROR, roughness=0.02, specular=0.5)
    nodes.set("Metallic", 1.0)
    nodes.set("Alpha", alpha)
    # Solid view shows the iris through it; anything lighter than black would veil it.
    material.diffuse_color = (0.0, 0.0, 0.0, 0.02)
    material.specular_intensity, material.roughness = 0.0, 0.1
    if bpy.app.version < (4, 2):
        material.blend_method, material.shadow_method = "BLEND", "NONE"
    else:
        material.surface_render_method = "BLENDED"
        material.use_transparent_shadow = True
    material.use_backface_culling = True


def _cornea(nodes: Nodes) -> None:
    _clear(nodes, _CORNEA_ALPHA)


def _tear(nodes: Nodes) -> None:
    _clear(nodes, _TEAR_ALPHA)


def _caruncle(nodes: Nodes) -> None:
    nodes.plain(CARUNCLE, roughness=0.4, specular=0.4)
    nodes.set("Subsurface Weight", 0.3)
    nodes.set("Subsurface Radius", (1.0, 0.35, 0.2))
    nodes.set("Subsurface Scale", 0.002)
    _wet(nodes)


EYE_BUILDERS: Builders = {
    "eye_white": _eye_white,
    "iris": _iris,
    "pupil": _pupil,
    "cornea": _cornea,
    "tear": _tear,
    "caruncle": _caruncle,
}


def eye_builders(model: HeadModel) -> Builders:
    """Builders by material name: an iris behind a cornea is dry, as the cornea mirrors the lamps."""
    if "cornea" not in model.material_names:
        return EYE_BUILDERS
    return {**EYE_BUILDERS, "iris": _iris_colour, "pupil": _dark}
