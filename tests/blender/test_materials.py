# SPDX-License-Identifier: Apache-2.0
"""Materials: one per slot, masks where the regions are, plain colours in exported files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api
from blender_smirk.nodes import linear
from blender_smirk.paint import IRIS, PAINT, iris_map, soft_mask
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head


def painted_head() -> HeadModel:
    names = ("skin", "lips", "mouth", "eye_white", "iris", "pupil", "teeth", "gums", "tongue", "lash", "brow", "other")
    model = toy_head()
    lips = np.zeros(len(model.template), dtype=bool)
    lips[:20] = True
    materials = (np.arange(len(model.polygons)) % len(names)).astype(np.int32)
    return toy_head(material_names=names, polygon_materials=materials, regions={"lips": lips})


def test_every_slot_has_its_material() -> None:
    model = painted_head()
    head = api.add_take(toy_take(model, 2), head=model)
    names = [slot.material.name.removeprefix("Head ") for slot in head.mesh.material_slots]
    assert names == list(model.material_names)
    for slot in head.mesh.material_slots:
        (shader,) = (n for n in slot.material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
        assert all(link.is_valid for link in slot.material.node_tree.links)
        assert tuple(slot.material.diffuse_color)[:3] == pytest.approx(shader.inputs["Base Color"].default_value[:3])
    assert {PAINT, IRIS} <= set(head.mesh.data.attributes.keys())


def test_masks_are_soft_and_stay_where_they_are() -> None:
    model = painted_head()
    hard, soft = (soft_mask(model, ("lips",), steps) for steps in (0, 3))
    assert np.array_equal(hard, model.regions["lips"])
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 5
    assert soft[model.regions["lips"]].mean() > 3 * soft[~model.regions["lips"]].mean()
    assert not soft_mask(model, ("no such region",), 3).any()


def test_irises_of_the_open_head_are_round_and_centred() -> None:
    model = load_head("open")
    places = iris_map(model)
    corners = model.polygons[model.polygon_materials == model.material_names.index("iris")]
    iris = np.unique(corners[corners >= 0])
    radius = np.linalg.norm(places[iris, :2], axis=1)
    assert radius.max() == pytest.approx(1.0, abs=1e-6)
    for side in (1, -1):
        own = iris[np.sign(model.template[iris, 0]) == side]
        assert np.abs(places[own, :2].mean(axis=0)).max() < 0.05
        rim = own[np.linalg.norm(places[own, :2], axis=1) > 0.9]
        assert len(rim) >= 12


def test_glb_gets_plain_colours_and_the_nodes_come_back(tmp_path: Path) -> None:
    model = painted_head()
    head = api.add_take(toy_take(model, 2), head=model)
    trees = [slot.material.node_tree for slot in head.mesh.material_slots]
    before = [len(tree.links) for tree in trees]
    data = api.save(tmp_path / "head.glb").read_bytes()
    assert [len(tree.links) for tree in trees] == before
    (length,) = struct.unpack_from("<I", data, 12)
    materials = {m["name"]: m for m in json.loads(data[20 : 20 + length])["materials"]}
    for name in ("skin", "lips", "iris", "eye_white"):
        colour = materials[f"Head {name}"]["pbrMetallicRoughness"]["baseColorFactor"]
        stated = bpy.data.materials[f"Head {name}"].diffuse_color
        assert colour[:3] == pytest.approx(stated[:3], abs=1e-5)
        assert max(colour[:3]) < 0.99


def test_srgb_becomes_linear() -> None:
    assert linear((0.0, 0.5, 1.0)) == pytest.approx((0.0, 0.21404, 1.0, 1.0), abs=1e-5)
