# SPDX-License-Identifier: Apache-2.0
"""The skin in Blender: presets, live numbers, baking into packed images and back."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api
from blender_smirk.look import colour_of
from blender_smirk.materials import add_materials
from blender_smirk.rig import build_head
from blender_smirk.skin_bake import bake_skin, has_baked_skin, remove_baked_skin
from blender_smirk.skin_look import has_numbers, number_of, set_number, set_skin, skin_materials, skin_of
from blender_smirk.skin_material import NUMBERS
from blender_smirk.skin_paint import REST, SKIN_PAINT
from smirk_core.errors import AssetError
from smirk_core.heads.library import load_head
from smirk_core.skin import PRESETS, SkinLook, mean_colour

OPEN = load_head("open")


@pytest.fixture
def head():
    made = build_head(OPEN, np.zeros(OPEN.identity_size), "Head")
    add_materials(made.mesh, OPEN)
    return made


def pixels(image):
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[::-1, :, :3]


def feeds(mesh):
    """Which node feeds which input of each skin shader."""
    found = []
    for material in skin_materials(mesh):
        shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
        found.append({s.name: s.links[0].from_node.name for s in shader.inputs if s.is_linked})
    return found


def test_the_material_reads_attributes_of_the_mesh(head):
    attributes = head.mesh.data.attributes
    paint = np.empty(len(OPEN.template) * 4, np.float32)
    attributes[SKIN_PAINT].data.foreach_get("color", paint)
    assert paint.reshape(-1, 4).max(axis=0).min() > 0.5  # all four are somewhere
    rest = np.empty(len(OPEN.template) * 3, np.float32)
    attributes[REST].data.foreach_get("vector", rest)
    np.testing.assert_array_equal(rest.reshape(-1, 3), OPEN.template.astype(np.float32))
    names = {n.attribute_name for m in skin_materials(head.mesh) for n in m.node_tree.nodes if n.type == "ATTRIBUTE"}
    assert {SKIN_PAINT, REST} <= names <= set(attributes.keys())


def test_light_wanders_millimetres_and_red_farthest(head):
    for material in skin_materials(head.mesh):
        shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
        scale = shader.inputs["Subsurface Scale"].default_value
        red, green, blue = (scale * r for r in shader.inputs["Subsurface Radius"].default_value)
        assert 0.001 < red < 0.005 and red > green > blue > 0.0001


@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_back_as_they_were_given(head, name):
    set_skin(head.mesh, name)
    look = skin_of(head.mesh)
    for field in ("melanin", "blood", "hair", "makeup", "moles", "spots"):
        assert getattr(look, field) == getattr(PRESETS[name], field)
    for field, _ in NUMBERS.values():
        assert getattr(look, field) == pytest.approx(getattr(PRESETS[name], field), abs=1e-4)
    tone, lips = mean_colour(PRESETS[name])
    assert colour_of(head.mesh, "Skin tone") == pytest.approx(tone, abs=1e-5)
    assert colour_of(head.mesh, "Lips") == pytest.approx(lips, abs=1e-5)


def test_numbers_are_turned_in_all_materials_and_read_back(head):
    assert has_numbers(head.mesh)
    set_number(head.mesh, "Freckles", 0.7)
    assert number_of(head.mesh, "Freckles") == pytest.approx(0.7)
    assert skin_of(head.mesh).freckles == pytest.approx(0.7)
    values = {m.node_tree.nodes["Freckles"].outputs[0].default_value for m in skin_materials(head.mesh)}
    assert len(values) == 1


def test_baking_packs_images_and_taking_them_off_restores_every_link(head):
    set_skin(head.mesh, "Freckled")
    before, images_before = feeds(head.mesh), set(bpy.data.images.keys())
    baked = bake_skin(head, 128, model=OPEN)
    assert has_baked_skin(head.mesh)
    for image in (baked.colour, baked.roughness, baked.specular, baked.normal):
        assert image.packed_file is not None and tuple(image.size) == (128, 128)
    assert baked.colour.colorspace_settings.name == "sRGB"
    assert baked.normal.colorspace_settings.name == "Non-Color"
    assert all(
        f["Base Color"] == "Smirk skin colour" and f["Normal"] == "Smirk skin normal map" for f in feeds(head.mesh)
    )
    again = bake_skin(head, 64, model=OPEN)
    assert tuple(again.colour.size) == (64, 64)
    assert len(set(bpy.data.images.keys()) - images_before) == 4
    remove_baked_skin(head.mesh)
    assert feeds(head.mesh) == before
    assert set(bpy.data.images.keys()) == images_before
    assert not has_baked_skin(head.mesh)


def test_what_is_baked_is_what_the_core_paints_in_the_colour_chosen(head):
    from smirk_core.skin import skin_maps

    set_skin(head.mesh, "Fair")
    picture = pixels(bake_skin(head, 64, seed=4, model=OPEN).colour)
    maps = skin_maps(OPEN, PRESETS["Fair"], 64, seed=4)
    np.testing.assert_allclose(picture, maps.albedo / 255, atol=3 / 255)
    remove_baked_skin(head.mesh)
    api.set_colour(head.mesh, "Skin tone", (0.05, 0.20, 0.45))
    blue = pixels(bake_skin(head, 64, seed=4, model=OPEN).colour)
    assert blue[..., 2].mean() > 1.3 * blue[..., 0].mean()
    plain = SkinLook(melanin=0.2)
    worn = pixels(bake_skin(head, 64, plain, model=OPEN).colour)
    np.testing.assert_allclose(worn, skin_maps(OPEN, plain, 64).albedo / 255, atol=2 / 255)


def test_bad_input_is_named(head):
    with pytest.raises(AssetError, match="There is no skin 'Green'"):
        set_skin(head.mesh, "Green")
    with pytest.raises(AssetError, match="64 to 8192"):
        bake_skin(head, 8, model=OPEN)
    assert not has_baked_skin(head.mesh)
    for slot in head.mesh.material_slots:
        slot.material = None
    with pytest.raises(AssetError, match="built with"):
        bake_skin(head, 64, model=OPEN)
    with pytest.raises(AssetError, match="built with"):
        set_skin(head.mesh, "Fair")


def test_a_head_without_eyes_or_regions_still_gets_skin():
    made = api.add_take(toy_take(toy_head(), 2), head=toy_head())
    assert set_skin(made.mesh, "Dark") == PRESETS["Dark"]
