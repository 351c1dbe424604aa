# SPDX-License-Identifier: Apache-2.0
"""The headless face: takes onto heads, second takes, refusals that change nothing."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from toy import toy_head, toy_take

from blender_smirk import api
from smirk_core.errors import Cancelled, TakeError


def test_animate_with_a_take_file(tmp_path: Path) -> None:
    model = toy_head()
    take = toy_take(model, 8, info={"source": "someone.mp4"})
    path = take.save(tmp_path / "someone.take.npz")
    steps = []
    head = api.animate("someone.mp4", head=model, take=path, progress=lambda *step: steps.append(step))
    assert (head.mesh.name, head.armature.name, head.action.name) == ("someone", "someone rig", "someone")
    assert head.armature.users_collection[0].name == "someone"
    assert steps[-1][1:] == (2, 2)
    assert len(head.take) == 8


def test_a_second_performance_keeps_the_face_and_the_first_action() -> None:
    model = toy_head()
    first, second = (toy_take(model, 8, seed, info={"source": f"take{seed}.mp4"}) for seed in (1, 2))
    head = api.add_take(first, head=model)
    basis = [tuple(v.co) for v in head.mesh.data.shape_keys.key_blocks["Basis"].data]
    action = api.apply_take(head.mesh, second, head=model)
    assert [a.name for a in bpy.data.actions] == ["take1", "take2"]
    for block in (head.armature, head.mesh.data.shape_keys, head.cameras.orthographic.data):
        assert block.animation_data.action == action
    bpy.context.scene.frame_set(4)
    value = head.mesh.data.shape_keys.key_blocks["browInnerUp"].value
    assert value == pytest.approx(second.filtered["expression"][3, 2], abs=1e-6)
    assert basis == [tuple(v.co) for v in head.mesh.data.shape_keys.key_blocks["Basis"].data]
    assert len(bpy.data.cameras) == 2


def test_what_does_not_fit_changes_nothing() -> None:
    model = toy_head()
    before = len(bpy.data.objects)
    with pytest.raises(TakeError, match="flame"):
        api.add_take(toy_take(model, 3, info={"head": "flame2020"}), head=model)
    assert len(bpy.data.objects) == before and not len(bpy.data.collections)
    cube = bpy.data.objects.new("Cube", None)
    with pytest.raises(TakeError, match="'Cube' is not a head"):
        api.apply_take(cube, toy_take(model, 3), head=model)


def test_cancelling_comes_through() -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        raise Cancelled("Stopped.")

    model = toy_head()
    with pytest.raises(Cancelled):
        api.add_take(toy_take(model, 3), head=model, progress=stop)
    assert not len(bpy.data.objects) and not len(bpy.data.collections)


def test_lamps_come_once_and_never_beside_others() -> None:
    model = toy_head()
    for seed in (1, 2):
        api.add_take(toy_take(model, 3, seed), head=model)
    assert sum(o.type == "LIGHT" for o in bpy.data.objects) == 3
