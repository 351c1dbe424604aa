# SPDX-License-Identifier: Apache-2.0
"""Refining in place: the same action and curves, always from raw, hand edits safe, in bounds, undone in one step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api, registration
from blender_smirk.actions import frames_of
from blender_smirk.key_notes import curves_of, edited_curves, note_of
from blender_smirk.refine import EditedError
from smirk_core.errors import TakeError
from smirk_core.refine.layers import apply_filters
from smirk_core.refine.recipe import Recipe

SMILE = 'KEY key_blocks["mouthSmileLeft"].value 0'
JAW = 'OBJECT pose.bones["jaw"].rotation_quaternion 1'
RECIPE = Recipe(smooth={"mouth": 0.7, "head": 1.0}, neutral=0.4, gain={"mouth": 1.3}, offset=0.08)


@pytest.fixture
def add_on():
    before = bool(registration._registered)
    if not before:
        registration.register()
    yield
    if not before:
        registration.unregister()


def animated(count: int = 40, **options: Any) -> api.AnimatedHead:
    model = toy_head()
    return api.add_take(toy_take(model, count, smooth=True, **options), head=model)


def curve(action: bpy.types.Action, name: str) -> Any:
    return dict(curves_of(action))[name]


def keys(action: bpy.types.Action) -> dict[str, np.ndarray]:
    found = {}
    for name, c in curves_of(action):
        points = np.empty(2 * len(c.keyframe_points), np.float32)
        c.keyframe_points.foreach_get("co", points)
        found[name] = points.reshape(-1, 2)
    return found


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_curves_are_what_the_core_makes_of_the_raw_take_and_reset_restores_them() -> None:
    head = animated()
    before = keys(head.action)
    slots = [s.handle for s in head.action.slots]
    take = api.refine_take(head.action, RECIPE)
    expected = apply_filters(head.take, RECIPE.layers(), expression_names=toy_head().expression_names)
    assert take.info.filters == RECIPE.layers() == api.take_of(head.action).info.filters
    np.testing.assert_allclose(keys(head.action)[SMILE][:, 1], expected.filtered["expression"][:, 0], atol=1e-6)
    assert not same(keys(head.action), before)
    assert [s.handle for s in head.action.slots] == slots
    assert head.armature.animation_data.action == head.action and len(bpy.data.actions) == 1
    bpy.context.scene.frame_set(9)
    shown = head.mesh.data.shape_keys.key_blocks["mouthSmileLeft"].value
    assert shown == pytest.approx(expected.filtered["expression"][8, 0], abs=1e-6)
    api.refine_take(head.action, RECIPE)
    again = keys(head.action)
    api.refine_take(head.action, Recipe(mirror=True))
    api.refine_take(head.action, RECIPE)
    assert same(keys(head.action), again)
    api.reset_take(head.action)
    assert same(keys(head.action), before)


def test_edits_by_hand_are_never_lost_without_a_word() -> None:
    head = animated()
    assert edited_curves(head.action) == []
    point = curve(head.action, SMILE).keyframe_points[4]
    point.co[1] = 0.123
    assert edited_curves(head.action) == [SMILE]
    before = keys(head.action)
    with pytest.raises(EditedError, match="mouthSmileLeft"):
        api.refine_take(head.action, RECIPE)
    assert same(keys(head.action), before) and api.take_of(head.action).info.filters == ()
    api.refine_take(head.action, RECIPE, keep_edited=True)
    assert np.array_equal(keys(head.action)[SMILE], before[SMILE])
    assert not np.array_equal(keys(head.action)[JAW], before[JAW])
    assert edited_curves(head.action) == [SMILE]  # still an edit, also the next time
    api.refine_take(head.action, RECIPE, overwrite=True)
    assert edited_curves(head.action) == [] and not np.array_equal(keys(head.action)[SMILE], before[SMILE])


def test_a_curve_that_was_removed_is_an_edit_too() -> None:
    head = animated()
    bag = head.action.layers[0].strips[0].channelbags[1]
    bag.fcurves.remove(curve(head.action, SMILE))
    assert edited_curves(head.action) == [SMILE]
    api.refine_take(head.action, RECIPE, keep_edited=True)
    assert SMILE not in dict(curves_of(head.action))
    api.reset_take(head.action, overwrite=True)
    assert SMILE in dict(curves_of(head.action)) and edited_curves(head.action) == []


def test_curves_of_others_and_modifiers_stay() -> None:
    head = animated()
    bag = head.action.layers[0].strips[0].channelbags[0]
    own = bag.fcurves.new("scale", index=0)
    own.keyframe_points.insert(1, 2.0)
    noise = curve(head.action, SMILE).modifiers.new("NOISE")
    noise.strength = 0.25
    api.refine_take(head.action, RECIPE)
    assert curve(head.action, "OBJECT scale 0").keyframe_points[0].co[1] == 2.0
    assert curve(head.action, SMILE).modifiers[0].strength == 0.25


@pytest.mark.parametrize("error", [0.002, 0.02, 0.1])
def test_reduced_keys_stay_within_the_error(error: float) -> None:
    head = animated(120)
    dense = dict(curves_of(head.action))
    at = [p.co[0] for p in dense[SMILE].keyframe_points]
    wanted = {name: np.array([c.evaluate(f) for f in at]) for name, c in dense.items()}
    before = sum(len(c.keyframe_points) for c in dense.values())
    api.refine_take(head.action, (), keying=api.Keying("REDUCED", error))
    after = sum(len(c.keyframe_points) for _, c in curves_of(head.action))
    assert after < before
    for name, c in curves_of(head.action):
        off = np.abs(np.array([c.evaluate(f) for f in at]) - wanted[name]).max()
        unit = 1.0 if name.startswith("KEY") else 0.25 if "quaternion" in name else 0.1
        assert off <= unit * error + 1e-6, name
    assert note_of(head.action).keys == "REDUCED"


def test_components_of_a_rotation_share_their_keys() -> None:
    head = animated(120)
    api.refine_take(head.action, (), keying=api.Keying("REDUCED", 0.05))
    places = keys(head.action)
    path = 'OBJECT pose.bones["root"].rotation_quaternion'
    assert len({tuple(places[f"{path} {i}"][:, 0]) for i in range(4)}) == 1


def test_every_frame_is_keyed_where_stamps_are_uneven() -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.09, 30))
    head = animated(30, times=times, info={"start": 0.0})
    tracked = frames_of(head.take, 25, 1)
    api.refine_take(head.action, (), keying=api.Keying("EVERY"))
    points = keys(head.action)[SMILE]
    assert points[:, 0].tolist() == list(range(int(np.ceil(tracked[0])), int(tracked[-1]) + 1))
    expected = np.interp(points[:, 0], tracked, head.take.filtered["expression"][:, 0])
    np.testing.assert_allclose(points[:, 1], expected, atol=1e-5)
    api.refine_take(head.action, (), keying=api.Keying("TRACKED"))
    np.testing.assert_allclose(keys(head.action)[SMILE][:, 0], tracked, atol=1e-4)


def test_a_slider_grows_with_the_gain() -> None:
    model = toy_head()
    signed = replace(model, expression_names=tuple(f"exp_{i}" for i in range(model.expression_size)))
    head = api.add_take(toy_take(signed, 20, smooth=True), head=signed)
    api.refine_take(head.action, [{"kind": "gain", "gain": 4.0}])
    block = head.mesh.data.shape_keys.key_blocks["exp_0"]
    top = api.take_of(head.action).filtered["expression"][:, 0].max()
    assert block.slider_max >= top > 1.0


def test_what_cannot_be_refined_says_so_and_stays() -> None:
    model = toy_head()
    nameless = replace(model, expression_names=tuple(f"exp_{i}" for i in range(model.expression_size)))
    head = api.add_take(toy_take(nameless, 10), head=nameless)
    before = keys(head.action)
    with pytest.raises(TakeError, match="cannot be mirrored"):
        api.refine_take(head.action, Recipe(mirror=True))
    with pytest.raises(TakeError, match="outside of the take"):
        api.refine_take(head.action, Recipe(neutral=500.0))
    with pytest.raises(TakeError, match="not made from a take"):
        api.refine_take(bpy.data.actions.new("own"), Recipe())
    with pytest.raises(TakeError, match="REDUCED"):
        api.Keying("SPARSE")
    assert same(keys(head.action), before)


def test_take_time_is_the_moment_that_a_frame_shows() -> None:
    head = animated(40, times=2.0 + np.arange(40) / 25, info={"start": 2.0})
    assert api.take_time(head.action, 1) == pytest.approx(2.0)
    assert api.take_time(head.action, 11.5) == pytest.approx(2.42)
    api.refine_take(head.action, Recipe(offset=0.2))
    assert api.take_time(head.action, 11) == pytest.approx(2.2)


def test_a_photo_can_be_refined() -> None:
    head = animated(1, info={"kind": "photo", "rate": 0.0})
    for kind in ("TRACKED", "EVERY", "REDUCED"):
        api.refine_take(head.action, Recipe(smooth={"mouth": 1.0}, gain={"mouth": 0.5}), keying=api.Keying(kind))
    value = curve(head.action, SMILE).keyframe_points[0].co[1]
    assert value == pytest.approx(head.take.raw["expression"][0, 0] / 2, abs=1e-6)


def test_a_copy_is_refined_alone() -> None:
    head = animated()
    copy = api.duplicate_take(head.action, "Second")
    before = keys(head.action)
    api.refine_take(copy, RECIPE)
    assert same(keys(head.action), before) and not same(keys(copy), before)
    assert api.take_of(head.action).info.filters == ()


def test_keys_named_as_flame_users_know_them_keep_their_names() -> None:
    model = replace(toy_head(), expression_names=tuple(f"exp_{i}" for i in range(toy_head().expression_size)))
    head = api.add_take(toy_take(model, 20, smooth=True), head=model, names="flame")
    before = set(keys(head.action))
    assert 'KEY key_blocks["Exp1"].value 0' in before
    api.refine_take(head.action, Recipe(neutral=0.2, smooth={"mouth": 1.0}))
    assert set(keys(head.action)) == before and edited_curves(head.action) == []
    assert keys(head.action)['KEY key_blocks["Exp1"].value 0'][5, 1] == pytest.approx(0.0, abs=0.2)


def test_a_duplicated_head_plays_what_is_refined() -> None:
    head = animated()
    rig, mesh = head.armature.copy(), head.mesh.copy()
    mesh.data = head.mesh.data.copy()
    mesh.parent = rig
    for obj in (rig, mesh):
        bpy.context.scene.collection.objects.link(obj)
    mesh.data.shape_keys.animation_data_create()
    api.make_current(head.action, rig)
    api.refine_take(head.action, [{"kind": "gain", "gain": {"mouth": 0.5}}])
    bpy.context.scene.frame_set(9)
    shown = [m.data.shape_keys.key_blocks["mouthSmileLeft"].value for m in (head.mesh, mesh)]
    assert shown == pytest.approx([head.take.raw["expression"][8, 0] / 2] * 2, abs=1e-6)


def test_renamed_heads_and_cameras_are_still_theirs() -> None:
    head = animated()
    head.armature.name, head.mesh.name, head.cameras.perspective.name = "Anna", "Anna skin", "Anna cam"
    api.refine_take(head.action, RECIPE)
    api.match_camera(bpy.context.scene, head.mesh, "PERSPECTIVE", lens=50.0)
    api.make_current(head.action, head.armature)
    assert edited_curves(head.action) == []


# Buttons


def test_buttons_do_it_from_the_settings(add_on) -> None:
    head = animated()
    action: Any = head.action
    before = keys(action)
    action.smirk.smooth_mouth, action.smirk.gain_jaw, action.smirk.mirror = 0.5, 1.5, True
    action.smirk.offset = 2.0
    assert bpy.ops.smirk.refine_take() == {"FINISHED"}
    expected = Recipe(smooth={"mouth": 0.5}, gain={"jaw": 1.5}, mirror=True, offset=2 / 25)
    assert api.take_of(action).info.filters == expected.layers()
    bpy.context.scene.frame_set(11)
    assert bpy.ops.smirk.set_neutral() == {"FINISHED"}
    assert action.smirk.neutral_time == pytest.approx((10 - 2) / 25)
    assert keys(action)[SMILE][10, 1] == pytest.approx(0.0, abs=1e-6)  # the frame that was looked at is at rest
    assert bpy.ops.smirk.clear_neutral() == {"FINISHED"}
    assert api.take_of(action).info.filters == expected.layers()
    assert bpy.ops.smirk.reset_take() == {"FINISHED"}
    assert same(keys(action), before)
    assert action.smirk.smooth_mouth == 0 and not action.smirk.mirror


def test_buttons_ask_before_they_overwrite(add_on) -> None:
    head = animated()
    curve(head.action, SMILE).keyframe_points[4].co[1] = 0.123
    before = keys(head.action)
    with pytest.raises(RuntimeError, match="edited by hand"):
        bpy.ops.smirk.reset_take()
    assert same(keys(head.action), before)
    assert bpy.ops.smirk.reset_take(keep_edited=True) == {"FINISHED"}
    assert np.array_equal(keys(head.action)[SMILE], before[SMILE])
    assert bpy.ops.smirk.reset_take(overwrite=True) == {"FINISHED"}
    assert edited_curves(head.action) == []


def test_a_refused_neutral_frame_leaves_the_settings(add_on) -> None:
    head = animated()
    action: Any = head.action
    bpy.context.scene.frame_end = 5000
    bpy.context.scene.frame_set(4000)
    with pytest.raises(RuntimeError, match="outside of the take"):
        bpy.ops.smirk.set_neutral()
    assert not action.smirk.use_neutral


def test_the_panel_knows_what_is_applied(add_on) -> None:
    from blender_smirk.properties.takes import is_pending

    model = toy_head()
    take = toy_take(model, 20, smooth=True)
    layers = Recipe(smooth={"brows": 0.5}, bad_frames=True).layers()
    refined = apply_filters(take, layers, expression_names=model.expression_names)
    head = api.add_take(refined, head=model)
    settings: Any = head.action.smirk  # pyright: ignore
    assert settings.smooth_brows == 0.5 and settings.bad_frames and not is_pending(settings)
    settings.smooth_brows = 0.25
    assert is_pending(settings)
    api.refine_take(head.action, [{"kind": "savgol"}, {"kind": "savgol", "window": 5}])
    assert settings.foreign == "savgol, savgol" and settings.smooth_brows == 0
    api.refine_take(head.action, RECIPE, keying=api.Keying("REDUCED", 0.05))
    assert settings.foreign == "" and not is_pending(settings)
    assert (settings.keying, round(settings.error, 6), round(settings.offset, 5)) == ("REDUCED", 0.05, 2.0)


def test_undo_takes_keys_settings_and_raw_take_back_together(add_on) -> None:
    animated()
    name = bpy.data.actions[0].name
    bpy.ops.ed.undo_push(message="before")
    before = keys(bpy.data.actions[name])
    bpy.data.actions[name].smirk.gain_mouth = 0.5  # pyright: ignore
    assert bpy.ops.smirk.refine_take() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="after")
    after = keys(bpy.data.actions[name])
    bpy.ops.ed.undo()
    action: Any = bpy.data.actions[name]
    assert same(keys(action), before) and action.smirk.gain_mouth == 1.0
    assert api.take_of(action).info.filters == () and edited_curves(action) == []
    bpy.ops.ed.redo()
    action = bpy.data.actions[name]
    assert same(keys(action), after) and len(api.take_of(action).info.filters) == 1


def test_settings_survive_save_load_and_rename(add_on, tmp_path) -> None:
    head = animated()
    action: Any = head.action
    action.name = "Interview"
    action.smirk.gain_mouth = 0.5
    bpy.ops.smirk.refine_take()
    before = keys(action)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    action = bpy.data.actions["Interview"]
    assert action.smirk.gain_mouth == 0.5 and edited_curves(action) == []
    bpy.ops.smirk.reset_take()
    assert not same(keys(action), before)
