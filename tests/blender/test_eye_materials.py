# SPDX-License-Identifier: Apache-2.0
"""Eyes in Blender: what is clear stays clear in solid view and in files, colours of irises can be chosen."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api, look
from blender_smirk.eye_materials import EYE_BUILDERS, EYE_TONES, REDNESS, eye_builders
from smirk_core.heads.head_model import HeadModel

NAMES = ("skin", "eye_white", "iris", "pupil", "cornea", "tear", "caruncle")


def eyed_head(names: tuple[str, ...] = NAMES) -> HeadModel:
    model = toy_head()
    return toy_head(
        material_names=names, polygon_materials=(np.arange(len(model.polygons)) % len(names)).astype(np.int32)
    )


def shader(name: str) -> bpy.types.Node:
    nodes = bpy.data.materials[f"Head {name}"].node_tree.nodes
    return next(n for n in nodes if n.type == "BSDF_PRINCIPLED")


def test_cornea_and_tears_are_clear_in_every_view(tmp_path: Path) -> None:
    model = eyed_head()
    api.add_take(toy_take(model, 2), head=model)
    for name in ("cornea", "tear"):
        assert bpy.data.materials[f"Head {name}"].diffuse_color[3] < 0.1
        inputs = shader(name).inputs
        assert 0.01 < inputs["Alpha"].default_value < 0.2
        # What is mirrored is a few per cent of the light, as on wet tissue.
        assert 0.015 < inputs["Alpha"].default_value * inputs["Base Color"].default_value[0] < 0.1
    data = api.save(tmp_path / "head.glb").read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    materials = {m["name"].removeprefix("Head "): m for m in json.loads(data[20 : 20 + length])["materials"]}
    for name in NAMES:
        clear = name in ("cornea", "tear")
        assert (materials[name].get("alphaMode", "OPAQUE") == "BLEND") == clear, name
        alpha = materials[name]["pbrMetallicRoughness"].get("baseColorFactor", (1, 1, 1, 1))[3]
        assert (alpha < 0.2) == clear
    assert max(materials["pupil"]["pbrMetallicRoughness"]["baseColorFactor"][:3]) < 0.01


def test_an_iris_behind_a_cornea_is_dry() -> None:
    for names, coat in ((NAMES, 0.0), (NAMES[:4], 1.0)):
        model = eyed_head(names)
        head = api.add_take(toy_take(model, 2), head=model)
        nodes = head.mesh.material_slots[2].material.node_tree.nodes
        (found,) = (n for n in nodes if n.type == "BSDF_PRINCIPLED")
        assert found.inputs["Coat Weight"].default_value == coat
    assert set(eye_builders(eyed_head())) == set(EYE_BUILDERS)


@pytest.mark.parametrize("tone", sorted(EYE_TONES))
def test_irises_take_the_colours_of_people(tone: str) -> None:
    model = eyed_head()
    head = api.add_take(toy_take(model, 2), head=model)
    look.set_colour(head.mesh, "Iris", EYE_TONES[tone])
    assert look.colour_of(head.mesh, "Iris") == pytest.approx(EYE_TONES[tone])
    assert tuple(shader("iris").inputs["Base Color"].default_value)[:3] == pytest.approx(EYE_TONES[tone])
    assert 0 < bpy.data.materials["Head eye_white"].node_tree.nodes[REDNESS].outputs[0].default_value < 1
