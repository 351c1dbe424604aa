# SPDX-License-Identifier: Apache-2.0
"""The headless face: takes onto heads, second takes, refusals that change nothing."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from toy import toy_head, toy_take

from blender_smirk import api
from smirk_core.errors import Cancelled, TakeError
from smirk_core.heads.library import load_head
from smirk_core.take import Take


def test_animate_with_a_take_file(tmp_path: Path) -> None:
    model = toy_head()
    take = toy_take(model, 8, info={"source": "someone.mp4"})
    path = take.save(tmp_path / "someone.take.npz")
    steps = []
    head = api.animate("someone.mp4", head=model, take=path, progress=lambda *step: steps.append(step))
    assert (head.mesh.name, head.armature.name, head.action.name) == ("someone", "someone rig", "someone")
    assert head.armature.users_collection[0].name == "someone"
    assert steps[-1][1:] == (3, 3)
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


def test_animate_all_heads_look_through_the_shared_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracking itself has its own tests; here two faces of one clip come back from it."""
    model = toy_head()
    takes = [toy_take(model, 3, face, info={"source": "two.mp4", "face": face}) for face in (0, 1)]
    asked = {}

    def two_faces(path: str, **arguments: object) -> list[Take]:
        asked.update(arguments, path=path)
        return takes

    monkeypatch.setattr("smirk_core.tracking.tracker.track_all", two_faces)
    heads = api.animate_all("two.mp4", head=model, step=2)
    assert (asked["path"], asked["head"], asked["faces"], asked["step"]) == ("two.mp4", model, "all", 2)
    assert [h.mesh.name for h in heads] == ["two", "two 2"]
    assert heads[0].cameras is not None
    assert bpy.context.scene.camera == heads[0].cameras.perspective


def test_a_photo_of_a_person_becomes_a_posed_head() -> None:
    """The whole path on a real picture: tracking, building, one key."""
    photo = Path(__file__).parent.parent.parent.parent / "shared" / "media" / "photo_256.png"
    if not photo.exists():
        pytest.skip("the photo is not on this machine")
    head = api.animate(photo)
    assert len(head.take) == 1
    assert tuple(head.action.frame_range) == (1, 1)
    blocks = head.mesh.data.shape_keys.key_blocks
    names = load_head("open").expression_names
    assert [blocks[n].value for n in names] == pytest.approx(head.take.filtered["expression"][0].tolist(), abs=1e-6)
    assert max(abs(v) for v in head.armature.pose.bones["root"].rotation_quaternion[1:]) > 1e-3
    assert head.cameras is not None
    assert tuple(head.cameras.orthographic.data.background_images[0].image.size) == (256, 256)
