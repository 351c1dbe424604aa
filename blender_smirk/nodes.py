# SPDX-License-Identifier: GPL-3.0-or-later
"""A few words for building a Principled material: mix, ramp, noise, masks, bump."""

from __future__ import annotations

from typing import Any

import bpy

__all__ = ["Nodes", "linear"]

Colour = tuple[float, float, float]
Socket = Any
# What the Principled BSDF's inputs were called before 4.0.
_FORMER = {
    "Coat Roughness": "Clearcoat Roughness",
    "Coat Weight": "Clearcoat",
    "Specular IOR Level": "Specular",
    "Subsurface Scale": "Subsurface",  # the weight was a scale of the radii
    "Transmission Weight": "Transmission",
}


def linear(colour: Colour) -> tuple[float, float, float, float]:
    """sRGB in 0..1 to the linear colour with alpha that sockets want: (0.5, 0.5, 0.5) is (0.214, 0.214, 0.214, 1)."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return r, g, b, 1.0


class Nodes:
    """Builds the tree of one material around its Principled BSDF.

    Numbers and colours can stand wherever a socket can. Positions in the editor run from right to left in the order
    of making.
    """

    def __init__(self, material: Any) -> None:
        self._material = material
        self._tree = material.node_tree
        self._shader = next(n for n in self._tree.nodes if n.type == "BSDF_PRINCIPLED")
        self._made = 0

    @property
    def material(self) -> Any:
        """What the tree belongs to."""
        return self._material

    def set(self, name: str, value: Any) -> None:
        """Set an input of the Principled BSDF."""
        socket = self._input(name)
        if socket is not None:
            socket.default_value = value

    def connect(self, source: Socket, name: str) -> None:
        """Drive an input of the Principled BSDF."""
        socket = self._input(name)
        if socket is not None:
            self._tree.links.new(source, socket)

    def colour(self, colour: Colour) -> None:
        """The plain colour, also shown in solid view and used by exporters."""
        self.set("Base Color", linear(colour))
        self._material.diffuse_color = linear(colour)

    def plain(self, colour: Colour, roughness: float, specular: float) -> None:
        """Colour, roughness and specular level of the Principled BSDF."""
        self.colour(colour)
        self.set("Roughness", roughness)
        self.set("Specular IOR Level", specular)

    def named(self, name: str, colour: Colour) -> Socket:
        """A colour node that can be found again by its name, for controls outside the node editor."""
        node = self._new("ShaderNodeRGB")
        node.name = node.label = name
        node.outputs[0].default_value = linear(colour)
        return node.outputs[0]

    def mix(self, factor: Any, first: Any, second: Any, blend: str = "MIX") -> Socket:
        """``first`` where ``factor`` is 0, ``second`` where it is 1; colours are sRGB triples or sockets.

        With ``blend`` "MULTIPLY" the two are multiplied instead.
        """
        node = self._new("ShaderNodeMix")
        node.data_type, node.blend_type = "RGBA", blend
        self._feed(node.inputs["Factor"], factor)
        inputs = {s.name: s for s in node.inputs if s.type == "RGBA"}
        for name, value in (("A", first), ("B", second)):
            self._feed(inputs[name], linear(value) if isinstance(value, tuple) else value)
        return next(s for s in node.outputs if s.type == "RGBA")

    def ramp(self, value: Any, low: float, high: float, at_low: float, at_high: float, name: str = "") -> Socket:
        """A smooth step from ``at_low`` (value <= low) to ``at_high`` (value >= high); with a name to find it by."""
        node = self._new("ShaderNodeMapRange")
        if name:
            node.name = node.label = name
        node.interpolation_type = "SMOOTHSTEP"
        self._feed(node.inputs["Value"], value)
        for name, number in (("From Min", low), ("From Max", high), ("To Min", at_low), ("To Max", at_high)):
            node.inputs[name].default_value = number
        return node.outputs["Result"]

    def times(self, first: Any, second: Any) -> Socket:
        """Product of two numbers."""
        node = self._new("ShaderNodeMath")
        node.operation = "MULTIPLY"
        self._feed(node.inputs[0], first)
        self._feed(node.inputs[1], second)
        return node.outputs[0]

    def number(self, name: str, value: float) -> Socket:
        """A value node that can be found again by its name, for controls outside the node editor."""
        node = self._new("ShaderNodeValue")
        node.name = node.label = name
        node.outputs[0].default_value = value
        return node.outputs[0]

    def plus(self, first: Any, second: Any) -> Socket:
        """Sum of two numbers."""
        node = self._new("ShaderNodeMath")
        node.operation = "ADD"
        self._feed(node.inputs[0], first)
        self._feed(node.inputs[1], second)
        return node.outputs[0]

    def cells(self, scale: float, vector: Socket) -> tuple[Socket, Socket]:
        """Distance from the nearest of scattered points, in cells, and a colour by chance for each cell."""
        node = self._new("ShaderNodeTexVoronoi")
        node.inputs["Scale"].default_value = scale
        self._feed(node.inputs["Vector"], vector)
        return node.outputs["Distance"], node.outputs["Color"]

    def scaled(self, vector: Socket, factors: tuple[float, float, float]) -> Socket:
        """A vector times three numbers."""
        node = self._vector_math("MULTIPLY", vector)
        node.inputs[1].default_value = factors
        return node.outputs["Vector"]

    def channels(self, colour: Socket) -> tuple[Socket, Socket, Socket]:
        """Red, green and blue of a colour."""
        node = self._new("ShaderNodeSeparateColor")
        self._feed(node.inputs[0], colour)
        red, green, blue = node.outputs
        return red, green, blue

    def alpha(self, attribute: str) -> Socket:
        """The fourth channel of a colour attribute."""
        return self._attribute(attribute).outputs["Alpha"]

    def noise(self, scale: float, detail: float, roughness: float, vector: Socket | None = None) -> Socket:
        """Noise in 0..1 fixed to the rest shape (Blender's *Generated* coordinates), or over ``vector``."""
        node = self._new("ShaderNodeTexNoise")
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = detail
        node.inputs["Roughness"].default_value = roughness
        self._feed(node.inputs["Vector"], self._rest() if vector is None else vector)
        return node.outputs[0]

    def masks(self, attribute: str) -> tuple[Socket, Socket, Socket]:
        """The three channels of a colour attribute."""
        return self.channels(self._attribute(attribute).outputs["Color"])

    def vector(self, attribute: str) -> Socket:
        """A vector attribute."""
        return self._attribute(attribute).outputs["Vector"]

    def length(self, vector: Socket) -> Socket:
        """Length of a vector."""
        return self._vector_math("LENGTH", vector).outputs["Value"]

    def normalised(self, vector: Socket) -> Socket:
        """A vector of length 1."""
        return self._vector_math("NORMALIZE", vector).outputs["Vector"]

    def bump(self, height: Socket, strength: float, distance: float) -> None:
        """Roughen the surface by ``height``; ``distance`` in metres."""
        node = self._new("ShaderNodeBump")
        node.inputs["Strength"].default_value = strength
        node.inputs["Distance"].default_value = distance
        self._feed(node.inputs["Height"], height)
        self.connect(node.outputs["Normal"], "Normal")

    def _input(self, name: str) -> Any:
        inputs = self._shader.inputs
        return inputs.get(_FORMER.get(name, name)) if bpy.app.version < (4, 0) else inputs[name]

    def _rest(self) -> Socket:
        for node in self._tree.nodes:
            if node.type == "TEX_COORD":
                return node.outputs["Generated"]
        return self._new("ShaderNodeTexCoord").outputs["Generated"]

    def _attribute(self, name: str) -> Any:
        for node in self._tree.nodes:
            if node.type == "ATTRIBUTE" and node.attribute_name == name:
                return node
        node = self._new("ShaderNodeAttribute")
        node.attribute_name = name
        return node

    def _vector_math(self, operation: str, vector: Socket) -> Any:
        node = self._new("ShaderNodeVectorMath")
        node.operation = operation
        self._feed(node.inputs[0], vector)
        return node

    def _feed(self, target: Socket, value: Any) -> None:
        if isinstance(value, (int, float, tuple)):
            target.default_value = value
        else:
            self._tree.links.new(value, target)

    def _new(self, kind: str) -> Any:
        node = self._tree.nodes.new(kind)
        column, row = divmod(self._made, 4)
        node.location = (-250 - 220 * column, 300 - 260 * row)
        self._made += 1
        return node
