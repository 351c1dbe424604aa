# SPDX-License-Identifier: Apache-2.0
"""The skin of clips and photos in Blender: brows that yield, saving, export, and the buttons."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image
from toy import toy_take

import blender_smirk
from benchmarks.photo_truth import known_skin, picture_of
from blender_smirk import api, registration
from blender_smirk.photo_skin import brows_hidden, has_photo_texture
from blender_smirk.rig import HeadObjects
from smirk_core.errors import Cancelled
from smirk_core.heads.library import load_head
from smirk_core.rendering.photo_texture import skin_surface
from smirk_core.take import Take

OPEN = load_head()


@pytest.fixture
def addon() -> Iterator[None]:
    blender_smirk.register()
    yield
    if registration._registered:
        blender_smirk.unregister()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Take]:
    """Takes of two photos of one known skin, from the front and from the side."""
    folder = tmp_path_factory.mktemp("photos")
    truth = known_skin(skin_surface(OPEN, 128))
    takes = []
    for number, yaw in enumerate((0.0, 0.6)):
        view = picture_of(OPEN, truth, yaw, 160)
        path = folder / f"{number}.png"
        Image.fromarray(view.picture).save(path)
        info = {"kind": "photo", "rate": 0.0, "source": str(path), "width": 160, "height": 160}
        take = toy_take(OPEN, 1, info=info)
        still = {k: 0 * v for k, v in take.raw.items()}
        still |= {"camera": np.asarray(view.camera)[None], "rotation": np.array([[0.0, yaw, 0.0]])}
        takes.append(replace(take, identity=0 * take.identity, raw=still, filtered=still))
    return takes


def worn(take: Take) -> tuple[HeadObjects, Any]:
    made = api.add_take(take, head="open")
    head = HeadObjects.of(made.mesh)
    assert head is not None
    return head, made.action


def brow_alpha(head: HeadObjects) -> list[Any]:
    found = [s.material for s in head.mesh.material_slots if s.material["smirk_part"] == "brow"]
    return [m.node_tree.nodes["Principled BSDF"].inputs["Alpha"] for m in found]


def test_the_brows_yield_and_come_back(photos: list[Take]) -> None:
    head, action = worn(photos[0])
    before = [(a.is_linked, a.default_value) for a in brow_alpha(head)]
    assert before
    api.add_photo_texture(head, action, size=128, brows=False)
    assert not brows_hidden(head.mesh)
    api.add_photo_texture(head, action, size=128)
    assert brows_hidden(head.mesh)
    assert all(not a.is_linked and a.default_value == 0 for a in brow_alpha(head))
    api.add_photo_texture(head, action, size=128)  # again: nothing of the first is forgotten
    assert len([i for i in bpy.data.images if i.name.endswith(" skin")]) == 1
    api.remove_photo_texture(head)
    assert [(a.is_linked, a.default_value) for a in brow_alpha(head)] == before
    assert not has_photo_texture(head.mesh)


def test_more_photos_show_more_skin_and_stopping_changes_nothing(photos: list[Take]) -> None:
    head, action = worn(photos[0])
    told: list[str] = []

    def stop(stage: str, done: int, total: int | None) -> None:
        told.append(stage)
        if stage == "Taking skin from photos" and done == 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        api.add_photo_texture(head, action, photos=[photos[1]], size=128, progress=stop)
    assert not has_photo_texture(head.mesh) and "Looking at frames" in told
    one = np.array(api.add_photo_texture(head, action, size=128).pixels[:])
    two = np.array(api.add_photo_texture(head, action, photos=[photos[1]], size=128).pixels[:])
    assert np.abs(one - two).max() > 0.05 and np.abs(one - two).mean() < 0.05


def test_the_skin_is_saved_and_exported(photos: list[Take], tmp_path: Path) -> None:
    head, action = worn(photos[0])
    image = api.add_photo_texture(head, action, size=128)
    pixels = np.array(image.pixels[:])
    name, mesh = image.name, head.mesh.name
    api.save(tmp_path / "face.glb")
    data = (tmp_path / "face.glb").read_bytes()
    header = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    textured = [m for m in header["materials"] if "baseColorTexture" in m.get("pbrMetallicRoughness", {})]
    assert any(m["name"].endswith(" skin") for m in textured)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "face.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "face.blend"))
    again = bpy.data.images[name]
    assert again.packed_file is not None and np.abs(np.array(again.pixels[:]) - pixels).max() < 1e-6
    loaded = HeadObjects.of(bpy.data.objects[mesh])
    assert loaded is not None and has_photo_texture(loaded.mesh)
    skin = next(s.material for s in loaded.mesh.material_slots if s.material["smirk_part"] == "skin")
    assert skin.node_tree.nodes.active.image == again  # Texture Paint paints on it
    api.remove_photo_texture(loaded)
    assert name not in bpy.data.images


def test_the_buttons(addon: None, photos: list[Take]) -> None:
    head, _ = worn(photos[0])
    bpy.context.view_layer.objects.active = head.mesh
    ops: Any = bpy.ops.smirk
    assert ops.photo_texture(source="FRAME", size="512", brows="HEAD") == {"FINISHED"}
    assert has_photo_texture(head.mesh) and not brows_hidden(head.mesh)
    assert ops.photo_texture(size="512") == {"FINISHED"} and brows_hidden(head.mesh)
    with pytest.raises(RuntimeError, match="Choose one or more"):
        ops.photo_texture_files()
    with pytest.raises(RuntimeError):
        ops.photo_texture(photos="/nowhere/face.jpg")
    assert has_photo_texture(head.mesh)  # what was worn is still worn
    assert ops.remove_texture() == {"FINISHED"} and not ops.remove_texture.poll()
