# SPDX-License-Identifier: Apache-2.0
"""Results of other programs in Blender: the mesh that plays is the decoder's, the camera is where the crop was."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from checks import TOLERANCE, evaluated
from importers.test_import import FRAMES, speak, truth, write

from blender_smirk import api
from smirk_core.heads.decode import decode
from smirk_core.heads.flame import load_flame
from smirk_core.importers.take_import import import_take


@pytest.mark.parametrize("dialect", ["smirk", "emoca"])
def test_an_imported_take_plays(dialect: str, flame_file: Path, tmp_path: Path) -> None:
    head = load_flame(flame_file, eyelids="faithful")
    path = write(tmp_path / "clip.pkl", speak(dialect, truth()))
    take = import_take(path, head, rate=25, size=(1280, 720))
    made = api.add_take(take, head=head, footage=False)
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    right = decode(head, take.parameters()).vertices
    for i in range(FRAMES):
        seen = evaluated(made, 1 + take.times[i] * rate)
        wanted = np.stack([right[i, :, 0], -right[i, :, 2], right[i, :, 1]], axis=-1)
        np.testing.assert_allclose(seen, wanted, atol=TOLERANCE)
    assert made.cameras is not None


def test_without_a_crop_there_is_no_camera(flame_file: Path, tmp_path: Path) -> None:
    head = load_flame(flame_file)
    values = speak("deca", truth())
    del values["tform"]
    take = import_take(write(tmp_path / "clip.npz", values), head)
    made = api.add_take(take, head=head, footage=False)
    assert made.cameras is None and len(made.action.slots)
