# SPDX-License-Identifier: Apache-2.0
"""Heads, takes and tables as files for other programs, by button and by function."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

import blender_smirk
from blender_smirk import api, registration
from blender_smirk.export_take import save_csv, save_take
from blender_smirk.rig import HeadObjects
from blender_smirk.save import save
from smirk_core.errors import ExportError, TakeError
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.take import load_take


@pytest.fixture
def addon() -> Iterator[None]:
    blender_smirk.register()
    yield
    if registration._registered:
        blender_smirk.unregister()


def made(count: int = 4, seed: int = 1, **changes: Any) -> Any:
    model = toy_head(**changes)
    return api.add_take(toy_take(model, count, seed, info={"source": f"clip{seed}.mp4"}), head=model), model


def imported(path: Path) -> list[Any]:
    """What a file holds, read back into an empty scene."""
    bpy.ops.wm.read_homefile(use_empty=True)
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    return [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys is not None]


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usd"])
def test_only_the_chosen_head(suffix: str, tmp_path: Path) -> None:
    first, _ = made(seed=1)
    made(seed=2)
    head = HeadObjects.of(first.mesh)
    assert head is not None
    path = save(tmp_path / f"one{suffix}", heads=[head])
    assert len(imported(path)) == 1
    assert not list(tmp_path.glob(".*"))


def test_no_head_given_is_no_export(tmp_path: Path) -> None:
    made()
    with pytest.raises(ExportError, match="no head"):
        save(tmp_path / "none.glb", heads=[])


def test_a_take_goes_out_whole(tmp_path: Path) -> None:
    head, _ = made()
    for name, written in (("a.take.npz", "a.take.npz"), ("b", "b.take.npz"), ("c.npz", "c.npz")):
        path = save_take(head.action, tmp_path / name)
        assert path.name == written
        back = load_take(path)
        assert back.info == head.take.info
        for group, values in head.take.raw.items():
            assert np.array_equal(back.raw[group], values)
    with pytest.raises(ExportError, match="folder"):
        save_take(head.action, tmp_path)


def test_the_table_of_live_link_face(tmp_path: Path) -> None:
    head, model = made(3)
    path = save_csv(head.action, tmp_path / "face", model=model)
    rows = list(csv.DictReader(path.open()))
    assert path.suffix == ".csv" and len(rows) == 3
    assert rows[0]["Timecode"].count(":") == 3 and rows[0]["BlendShapeCount"] == "61"
    assert {n[0].upper() + n[1:] for n in ARKIT_NAMES} <= set(rows[0])
    smile = head.take.filtered["expression"][:, model.expression_names.index("mouthSmileLeft")]
    assert [float(r["MouthSmileLeft"]) for r in rows] == pytest.approx(smile.tolist(), abs=1e-6)


def test_heads_without_arkit_names_have_no_table(tmp_path: Path) -> None:
    head, model = made(expression_names=tuple("abcdef"))
    with pytest.raises(TakeError, match="no ARKit names"):
        save_csv(head.action, tmp_path / "face.csv", model=model)
    assert not list(tmp_path.iterdir())


def test_the_buttons(addon: None, tmp_path: Path) -> None:
    assert not bpy.ops.smirk.export_head.poll() and not bpy.ops.smirk.export_take.poll()
    take = toy_take(load_head(), 3, smooth=True, info={"source": "clip.mp4"})
    head = api.add_take(take)
    bpy.context.view_layer.objects.active = head.mesh
    done = {"FINISHED"}
    assert bpy.ops.smirk.export_take(filepath=str(tmp_path / "x.take.npz")) == done
    assert bpy.ops.smirk.export_csv(filepath=str(tmp_path / "x.csv")) == done
    assert bpy.ops.smirk.export_head(filepath=str(tmp_path / "x.glb"), format=".glb") == done
    assert bpy.ops.smirk.export_head(filepath=str(tmp_path / "y"), format=".usd") == done
    assert {p.name for p in tmp_path.iterdir()} - {"textures"} == {"x.take.npz", "x.csv", "x.glb", "y.usd"}
    assert load_take(tmp_path / "x.take.npz").info.source == "clip.mp4"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the root user may write everywhere")
def test_a_place_that_cannot_be_written(addon: None, tmp_path: Path) -> None:
    head, _ = made()
    bpy.context.view_layer.objects.active = head.mesh
    tmp_path.chmod(0o500)
    with pytest.raises(RuntimeError, match="Cannot write"):
        bpy.ops.smirk.export_take(filepath=str(tmp_path / "x.take.npz"))


def test_a_bad_ending_is_one_line(addon: None, tmp_path: Path) -> None:
    head, _ = made()
    bpy.context.view_layer.objects.active = head.mesh
    with pytest.raises(RuntimeError, match="must end in one of"):
        bpy.ops.smirk.export_head(filepath=str(tmp_path / "x.doc"))
    with pytest.raises(RuntimeError, match="folder"):
        bpy.ops.smirk.export_csv(filepath=str(tmp_path))
