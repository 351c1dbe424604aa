# SPDX-License-Identifier: Apache-2.0
"""Takes in a file: played, copied, removed, stacked, shared, read anew; through renames, links and undo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api, registration
from blender_smirk.confidence import MARKER_FOUND, MARKER_LOST, lost_stretches, strip_pixels, thumbnail_pixels
from blender_smirk.confidence_icon import strip_of
from blender_smirk.key_notes import edited_curves
from smirk_core.errors import TakeError
from smirk_core.heads.library import load_head
from smirk_core.take import Take


@pytest.fixture
def add_on():
    before = bool(registration._registered)
    if not before:
        registration.register()
    yield
    if not before:
        registration.unregister()


def animated(seed: int = 1, count: int = 20, **info: Any) -> api.AnimatedHead:
    model = toy_head()
    return api.add_take(toy_take(model, count, seed, smooth=True, info=info or None), head=model)


def lossy(count: int = 40) -> Take:
    """A take in which the face is lost twice, the second time until the end."""
    take = toy_take(toy_head(), count, smooth=True)
    visibility = np.ones((count, 1))
    visibility[10:15] = 0
    visibility[-3:] = 0
    raw = {**take.raw, "visibility": visibility, "confidence": 0.9 * visibility}
    return replace(take, raw=raw, filtered=raw)


def shown(head: api.AnimatedHead, frame: int) -> float:
    bpy.context.scene.frame_set(frame)
    return head.mesh.data.shape_keys.key_blocks["browInnerUp"].value


def test_each_take_can_be_played_by_the_same_head() -> None:
    head = animated(1)
    second = toy_take(toy_head(), 20, 2, smooth=True, info={"source": "b.mp4"})
    other = api.apply_take(head.armature, second, head=toy_head())
    assert shown(head, 6) == pytest.approx(second.filtered["expression"][5, 2], abs=1e-6)
    api.make_current(head.action, head.mesh)
    assert shown(head, 6) == pytest.approx(head.take.filtered["expression"][5, 2], abs=1e-6)
    for block in (head.armature, head.mesh.data.shape_keys, head.cameras.orthographic.data):
        assert block.animation_data.action == head.action
    assert api.takes() == [head.action, other] or api.takes() == [other, head.action]


def test_making_current_sets_the_frame_range_of_the_take() -> None:
    head = animated(1, 20)
    api.apply_take(head.armature, toy_take(toy_head(), 50, 2, info={"source": "b.mp4"}), head=toy_head(), frame_start=5)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (5, 54)
    api.make_current(head.action, head.armature)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 20)


def test_a_take_of_another_head_is_not_played() -> None:
    head = animated()
    model = replace(toy_head(), name="other-1", digest="fedcba")
    other = api.add_take(toy_take(model, 5), head=model)
    with pytest.raises(TakeError, match="does not fit"):
        api.make_current(other.action, head.armature)
    with pytest.raises(TakeError, match="not a head"):
        api.make_current(head.action, bpy.data.objects.new("Cube", None))
    assert head.armature.animation_data.action == head.action


def test_rename_duplicate_delete() -> None:
    head = animated()
    head.action.name = "Best"
    copy = api.duplicate_take(head.action)
    assert copy.name == "Best.001" and copy.use_fake_user
    assert np.array_equal(api.take_of(copy).raw["jaw"], head.take.raw["jaw"])
    api.make_current(copy, head.armature)
    api.delete_take(head.action)
    assert [a.name for a in api.takes()] == ["Best.001"]
    pose = shown(head, 4)
    api.delete_take(copy)
    assert api.takes() == [] and head.armature.animation_data.action is None
    assert shown(head, 9) == pytest.approx(pose)
    with pytest.raises(TakeError, match="not made from a take"):
        api.duplicate_take(bpy.data.actions.new("own"))


def test_pushed_to_the_nla_the_head_moves_as_before() -> None:
    head = animated(count=20)
    before = [shown(head, f) for f in (1, 7, 20)]
    scale = head.cameras.orthographic.data
    bpy.context.scene.frame_set(7)
    width, place = scale.ortho_scale, tuple(head.armature.location)
    strips = api.push_to_nla(head.mesh)
    assert [s.action for s in strips] == [head.action] * 3
    assert [s.action_slot.target_id_type for s in strips] == ["OBJECT", "KEY", "CAMERA"]
    assert head.armature.animation_data.action is None
    assert [shown(head, f) for f in (1, 7, 20)] == pytest.approx(before, abs=1e-6)
    bpy.context.scene.frame_set(7)
    assert scale.ortho_scale == pytest.approx(width, rel=1e-6)
    assert tuple(head.armature.location) == pytest.approx(place, abs=1e-6)
    with pytest.raises(TakeError, match="plays no take"):
        api.push_to_nla(head.armature)


def test_pushed_keys_between_frames_stay_in_time() -> None:
    model = toy_head()
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.07, 20))
    head = api.add_take(toy_take(model, 20, smooth=True, times=times), head=model)
    before = [shown(head, f) for f in range(2, 20)]
    (strip, *_) = api.push_to_nla(head.mesh)
    assert strip.frame_start == pytest.approx(head.action.frame_range[0], abs=1e-4)
    assert [shown(head, f) for f in range(2, 20)] == pytest.approx(before, abs=1e-4)


def test_assets_have_a_picture_and_a_description() -> None:
    head = animated()
    api.mark_asset(head.action)
    assert "20 frames, 0.8 s" in head.action.asset_data.description
    preview = head.action.preview
    assert tuple(preview.image_size) == (128, 128)
    pixels = np.empty(128 * 128 * 4, np.float32)
    preview.image_pixels_float.foreach_get(pixels)
    assert np.ptp(pixels.reshape(-1, 4)[:, 0]) > 0.2
    api.clear_asset(head.action)
    assert head.action.asset_data is None and head.action.use_fake_user


def test_a_take_without_its_head_is_an_asset_with_its_strip() -> None:
    head = animated()
    bpy.data.objects.remove(head.armature)
    api.mark_asset(head.action)
    pixels = np.empty(128 * 128 * 4, np.float32)
    head.action.preview.image_pixels_float.foreach_get(pixels)
    assert head.action.asset_data is not None and pixels.reshape(-1, 4)[:, 3].min() == 1


def test_the_picture_shows_the_liveliest_frame_upright() -> None:
    model = load_head("open")
    take = toy_take(model, 5)
    still = {k: np.zeros_like(v) for k, v in take.raw.items()}
    lively = {**still, "jaw": np.zeros((5, 3)), "expression": still["expression"].copy()}
    lively["jaw"][2, 0] = 0.35
    lively["expression"][2, list(model.expression_names).index("browInnerUp")] = 1.0
    flat = np.zeros_like(take.identity)
    calm_picture, picture = (
        thumbnail_pixels(replace(take, raw=g, filtered=g, identity=flat), model, 96) for g in (still, lively)
    )
    assert picture.shape == (96, 96, 4) and np.isfinite(picture).all()
    changed = np.abs(picture - calm_picture).max(axis=2) > 0.1
    assert changed[55:].sum() > 100  # the mouth is in the lower half, rows run downwards
    assert picture[0, 0, 3] == 0 and picture[48, 48, 3] == 1


def test_the_strip_shows_trust_and_loss() -> None:
    picture = strip_pixels(lossy(), 80, 20)
    assert picture.shape == (20, 80, 4) and picture.dtype == np.float32
    red = (picture[..., 0] > 0.8) & (picture[..., 1] < 0.3)
    assert np.flatnonzero(red.all(axis=0)).tolist() == [*range(20, 30), *range(74, 80)]
    assert not red[:, :20].any()
    # One lost frame of very many is still seen.
    take = toy_take(toy_head(), 5000)
    visibility = np.ones((5000, 1))
    visibility[777] = 0
    raw = {**take.raw, "visibility": visibility}
    narrow = strip_pixels(replace(take, raw=raw, filtered=raw), 64, 8)
    assert ((narrow[..., 0] > 0.8) & (narrow[..., 1] < 0.3)).all(axis=0).sum() == 1
    for count in (1, 3):
        assert strip_pixels(toy_take(toy_head(), count), 64, 8).shape == (8, 64, 4)


def test_lost_stretches_and_markers() -> None:
    take = lossy()
    assert lost_stretches(take) == [(10, 14), (37, 39)]
    assert lost_stretches(toy_take(toy_head(), 5)) == []
    head = api.add_take(take, head=toy_head(), frame_start=101)
    assert api.lost_frames(head.action) == [(111, 115), (138, 140)]
    scene = bpy.context.scene
    scene.timeline_markers.new("Mine", frame=3)
    for _ in range(2):
        assert api.add_lost_markers(scene, head.action) == 2
    found = sorted((m.frame, m.name) for m in scene.timeline_markers)
    assert found == [(3, "Mine"), (111, MARKER_LOST), (116, MARKER_FOUND), (138, MARKER_LOST)]
    assert api.remove_lost_markers(scene) == 3
    assert [m.name for m in scene.timeline_markers] == ["Mine"]


# Buttons


def test_buttons(add_on, tmp_path: Path) -> None:
    head = animated()
    scene: Any = bpy.context.scene
    name = head.action.name
    assert scene.smirk_takes.action == head.action and bpy.data.actions[scene.smirk_takes.index] == head.action
    bpy.context.view_layer.objects.active = head.mesh
    assert bpy.ops.smirk.duplicate_take() == {"FINISHED"}
    copy = scene.smirk_takes.action
    assert copy != head.action
    copy.name = "A first name"  # sorts to another place of the list
    assert bpy.data.actions[scene.smirk_takes.index] == copy
    assert bpy.ops.smirk.make_take_current() == {"FINISHED"}
    assert head.armature.animation_data.action == copy
    assert bpy.ops.smirk.make_take_current(take=name) == {"FINISHED"}
    assert head.armature.animation_data.action.name == name == scene.smirk_takes.action.name
    assert bpy.ops.smirk.mark_take() == {"FINISHED"} and head.action.asset_data is not None
    assert bpy.ops.smirk.clear_take() == {"FINISHED"} and head.action.asset_data is None
    assert bpy.ops.smirk.push_take() == {"FINISHED"} and head.armature.animation_data.action is None
    assert bpy.ops.smirk.add_lost_markers() == {"FINISHED"}
    assert not bpy.ops.smirk.remove_lost_markers.poll()
    assert bpy.ops.smirk.choose_take(take="A first name") == {"FINISHED"} and scene.smirk_takes.action == copy
    assert bpy.ops.smirk.delete_take() == {"FINISHED"}
    assert [a.name for a in api.takes()] == [name]
    with pytest.raises(RuntimeError, match="no take called 'Nobody'"):
        bpy.ops.smirk.duplicate_take(take="Nobody")


def test_a_take_is_put_on_heads_again_without_tracking(add_on, tmp_path: Path) -> None:
    head = animated()
    bpy.context.view_layer.objects.active = head.mesh
    path = head.take.save(tmp_path / "again.take.npz")
    assert bpy.ops.smirk.import_take(filepath=str(path), frame_start=11) == {"FINISHED"}
    assert len(bpy.data.armatures) == 2 and len(api.takes()) == 2
    assert tuple(bpy.context.scene.smirk_takes.action.frame_range) == (11, 30)  # pyright: ignore
    bpy.context.view_layer.objects.active = head.mesh
    assert bpy.ops.smirk.import_take(take=head.action.name, target="SELECTED") == {"FINISHED"}
    assert len(bpy.data.armatures) == 2 and len(api.takes()) == 3
    assert head.armature.animation_data.action == bpy.context.scene.smirk_takes.action  # pyright: ignore
    with pytest.raises(RuntimeError, match="There is no take file"):
        bpy.ops.smirk.import_take(filepath=str(tmp_path / "none.npz"))
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    with pytest.raises(RuntimeError, match="not a take file"):
        bpy.ops.smirk.import_take(filepath=str(tmp_path / "bad.npz"))
    assert len(api.takes()) == 3


def test_without_takes_buttons_are_off_and_say_why(add_on) -> None:
    for name in ("make_take_current", "duplicate_take", "delete_take", "push_take", "mark_take", "refine_take"):
        assert not getattr(bpy.ops.smirk, name).poll(), name
    with pytest.raises(RuntimeError, match="There is no take"):
        bpy.ops.smirk.duplicate_take()
    assert bpy.ops.smirk.import_take.poll()


def test_undo_and_redo(add_on) -> None:
    animated()
    name = api.takes()[0].name
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.smirk.duplicate_take() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="copied")
    bpy.ops.ed.undo()
    scene: Any = bpy.context.scene
    assert [a.name for a in api.takes()] == [name] and scene.smirk_takes.action.name == name
    bpy.ops.ed.redo()
    assert len(api.takes()) == 2
    assert bpy.ops.smirk.refine_take() == {"FINISHED"}


def test_deleted_actions_and_heads_leave_the_list_usable(add_on) -> None:
    model = load_head("open")
    head = api.add_take(toy_take(model, 5), head=model)
    copy = api.duplicate_take(head.action)
    scene: Any = bpy.context.scene
    scene.smirk_takes.action = copy
    bpy.data.actions.remove(copy)
    assert scene.smirk_takes.action is None and scene.smirk_takes.index == -1
    assert bpy.ops.smirk.refine_take() == {"FINISHED"}  # the only take of the file is meant
    bpy.data.objects.remove(head.armature)
    assert bpy.ops.smirk.refine_take() == {"FINISHED"}  # a take outlives its head
    assert not bpy.ops.smirk.make_take_current.poll()


def test_linked_takes_play_but_do_not_change(add_on, tmp_path: Path) -> None:
    head = animated()
    head.action.name = "Shared"
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    head = animated(2)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.actions = ["Shared"]
    linked = bpy.data.actions["Shared"]
    assert linked.library is not None and linked in api.takes()
    api.make_current(linked, head.armature)
    wanted = api.take_of(linked).filtered["expression"][4, 2]
    assert shown(head, 5) == pytest.approx(wanted, abs=1e-6)
    scene: Any = bpy.context.scene
    scene.smirk_takes.action = linked
    assert not bpy.ops.smirk.refine_take.poll() and not bpy.ops.smirk.delete_take.poll()
    for work in (api.refine_take, api.mark_asset):
        with pytest.raises(TakeError, match="linked from another file"):
            work(linked, ()) if work is api.refine_take else work(linked)
    own = api.duplicate_take(linked)
    assert own.library is None
    api.refine_take(own, ())
    assert edited_curves(own) == []


def test_a_damaged_take_is_a_line_in_the_panel(add_on) -> None:
    head = animated()
    strip = strip_of(head.action)
    assert (strip.text, strip.lost, len(strip.icons)) == ("20 frames, 0.8 s", "", 3)
    assert strip_of(api.add_take(lossy(), head=toy_head()).action).lost == "Face lost 2 times"
    head.action["smirk_file"] = b"\0\1"
    del head.action["smirk_mark"]
    assert "damaged" in strip_of(head.action).text
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.smirk.refine_take(take=head.action.name)


def test_the_take_written_last_is_the_one_that_is_read() -> None:
    """Bytes with zeros, of another length, over bytes."""
    head = animated(count=5)
    for count in (200, 3):
        take = toy_take(toy_head(), count)
        api.store_take(head.action, take)
        assert len(api.take_of(head.action)) == count
