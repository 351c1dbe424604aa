# SPDX-License-Identifier: Apache-2.0
"""Materials of teeth, gums, tongue and cavity."""

from __future__ import annotations

from typing import Any

import bpy
import pytest

from blender_smirk.mouth_materials import MOUTH_BUILDERS, MOUTH_COLOURS, TEETH_YELLOW
from blender_smirk.nodes import Nodes, linear


def made(name: str) -> Any:
    material: Any = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    MOUTH_BUILDERS[name](Nodes(material))
    return material


@pytest.mark.parametrize("name", sorted(MOUTH_BUILDERS))
def test_each_is_wet_flesh_with_a_plain_colour_for_exporters(name: str) -> None:
    material = made(name)
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Coat Weight"].default_value >= 0.4
    assert shader.inputs["Subsurface Weight"].default_value > 0
    assert 0 < shader.inputs["Subsurface Scale"].default_value < 0.01  # metres
    plain = tuple(shader.inputs["Base Color"].default_value)
    assert plain == pytest.approx(tuple(material.diffuse_color)) and plain != pytest.approx((0.8, 0.8, 0.8, 1.0))


def test_teeth_go_from_light_to_yellow_by_one_number() -> None:
    material = made("teeth")
    nodes = material.node_tree.nodes
    value = nodes[TEETH_YELLOW].outputs[0]
    assert 0 < value.default_value < 1 and value.is_linked
    light, dark = (linear(MOUTH_COLOURS[n]) for n in ("Teeth light", "Teeth dark"))
    assert light[2] / light[0] > dark[2] / dark[0] + 0.2  # the dark ones are the yellow ones
    shader = next(n for n in nodes if n.type == "BSDF_PRINCIPLED")
    plain = shader.inputs["Base Color"].default_value
    assert all(d <= p <= b for d, p, b in zip(dark[:3], plain[:3], light[:3], strict=True))
