# SPDX-License-Identifier: Apache-2.0
"""Wrinkles in Blender: the shader's numbers are the core's, nothing of Python runs, everything goes again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

import blender_smirk
from blender_smirk import api, registration
from blender_smirk.detail import AGE, ON, PERSON_STRENGTH, SHARES, STRENGTH, has_person_detail, has_wrinkles
from blender_smirk.rig import HeadObjects
from blender_smirk.wrinkle_nodes import skin_materials
from smirk_core.detail.activation import take_activations
from smirk_core.detail.groups import GROUP_NAMES, GROUPS
from smirk_core.detail.person import PersonDetail
from smirk_core.detail.surface import Window
from smirk_core.errors import AssetError, TakeError
from smirk_core.heads.library import load_head

OPEN = load_head()
SIZE = 512


@pytest.fixture
def addon() -> Iterator[None]:
    blender_smirk.register()
    yield
    if registration._registered:
        blender_smirk.unregister()


@pytest.fixture
def head() -> HeadObjects:
    found = HeadObjects.of(api.add_take(toy_take(OPEN, 6, smooth=True, info={"source": ""}), head="open").mesh)
    assert found is not None
    return found


def person() -> PersonDetail:
    window = Window(SIZE, 100, 120, 80, 60)
    relief = np.random.default_rng(0).normal(0, 1e-4, (60, 80)).astype(np.float32)
    shares = np.linspace(0.2, 1.8, len(GROUPS))
    return PersonDetail(OPEN.name, OPEN.digest, window, relief, np.ones((60, 80), np.float32), shares)


def blocks() -> tuple[int, int, int]:
    return len(bpy.data.images), len(bpy.data.node_groups), len(bpy.data.materials)


def test_what_the_shader_reads_is_what_the_core_says(head: HeadObjects) -> None:
    take = toy_take(OPEN, 6, smooth=True, info={"source": ""})
    api.add_wrinkles(head, size=SIZE, age=0.7, strength=1.3)
    drivers = [d for d in head.mesh.animation_data.drivers if "smirk_wrinkles_" in d.data_path]
    assert len(drivers) == len(GROUPS) and all(d.driver.is_simple_expression for d in drivers)
    wanted = take_activations(OPEN, dict(take.parameters()), 0.7, 1.3)
    for frame in (0, 3, 5):
        bpy.context.scene.frame_set(1 + frame)
        found = api.wrinkle_strengths(head.mesh)
        assert [found[n] for n in GROUP_NAMES] == pytest.approx(wanted[frame].tolist(), abs=2e-4)
    api.set_wrinkles(head, on=False)
    assert not any(api.wrinkle_strengths(head.mesh).values())


def test_they_come_and_go_without_a_trace(head: HeadObjects) -> None:
    before, keys, modifiers = blocks(), set(head.mesh.keys()), head.mesh.modifiers.keys()
    normals = [
        [(link.from_node.name, link.to_node.name) for link in m.node_tree.links if link.to_socket.name == "Normal"]
        for m in skin_materials(head.mesh)
    ]
    api.add_wrinkles(head, size=SIZE)
    assert has_wrinkles(head.mesh)
    api.add_wrinkles(head, size=SIZE, displacement=True)  # replaced, not piled up
    assert blocks() == (before[0] + 2, before[1] + 1, before[2]) and "Smirk wrinkles" in head.mesh.modifiers
    api.remove_wrinkles(head)
    assert blocks() == before and set(head.mesh.keys()) == keys and head.mesh.modifiers.keys() == modifiers
    after = [
        [(link.from_node.name, link.to_node.name) for link in m.node_tree.links if link.to_socket.name == "Normal"]
        for m in skin_materials(head.mesh)
    ]
    assert [sorted(n) for n in after] == [sorted(n) for n in normals]
    assert not [d for d in head.mesh.animation_data.drivers if "wrinkle" in d.data_path]
    with pytest.raises(TakeError, match="no wrinkles"):
        api.set_wrinkles(head, strength=1.0)


def test_sliders_survive_renewal_and_the_file(head: HeadObjects, tmp_path: Path) -> None:
    api.add_wrinkles(head, size=SIZE, strength=0.4, age=0.9)
    api.wear_person_detail(head, person())
    assert head.mesh[STRENGTH] == pytest.approx(0.4) and head.mesh[AGE] == pytest.approx(0.9) and head.mesh[ON]
    assert list(head.mesh[SHARES]) == pytest.approx(person().shares.tolist())
    name = head.mesh.name
    bpy.context.scene.frame_set(3)
    before = api.wrinkle_strengths(head.mesh)
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    mesh = bpy.data.objects[name]
    assert has_person_detail(mesh) and api.wrinkle_strengths(mesh) == pytest.approx(before)
    packed = [i for i in bpy.data.images if "wrinkles" in i.name or "relief" in i.name]
    assert len(packed) == 2 and all(i.packed_file is not None and i.is_float for i in packed)
    assert sum(i.packed_file.size for i in packed if i.packed_file is not None) < 300_000


def test_a_person_of_their_own(head: HeadObjects, tmp_path: Path) -> None:
    path = person().save(tmp_path / "a.npz")
    api.wear_person_detail(head, path)
    assert head.mesh[PERSON_STRENGTH] == 1.0
    api.remove_person_detail(head)
    assert has_wrinkles(head.mesh) and not has_person_detail(head.mesh)
    assert list(head.mesh[SHARES]) == [1.0] * len(GROUPS)
    with pytest.raises(AssetError, match="of the head 'other'"):
        api.wear_person_detail(head, replace(person(), head="other"))
    path.write_bytes(b"nothing")
    with pytest.raises(AssetError):
        api.wear_person_detail(head, path)
    assert has_wrinkles(head.mesh)  # as before


def test_heads_without_names_or_layout_are_refused() -> None:
    model = toy_head(expression_names=tuple("abcdef"))
    other = HeadObjects.of(api.add_take(toy_take(model, 2), head=model).mesh)
    assert other is not None
    with pytest.raises(TakeError, match="no ARKit names"):
        api.add_wrinkles(other, model=model)


def test_the_buttons(addon: None, head: HeadObjects, tmp_path: Path) -> None:
    bpy.context.view_layer.objects.active = head.mesh
    done = {"FINISHED"}
    assert not bpy.ops.smirk.remove_wrinkles.poll() and not bpy.ops.smirk.remove_detail.poll()
    assert bpy.ops.smirk.add_wrinkles() == done and has_wrinkles(head.mesh)
    path = person().save(tmp_path / "a.npz")
    assert bpy.ops.smirk.load_detail(filepath=str(path)) == done and has_person_detail(head.mesh)
    assert bpy.ops.smirk.remove_detail() == done
    with pytest.raises(RuntimeError, match="footage"):
        bpy.ops.smirk.recover_detail()
    assert bpy.ops.smirk.remove_wrinkles() == done and not has_wrinkles(head.mesh)
