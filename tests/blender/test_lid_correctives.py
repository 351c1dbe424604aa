# SPDX-License-Identifier: Apache-2.0
"""Lids' own features in Blender: the drivers give what the decoder computes, without scripts."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from toy import toy_head

from blender_smirk.key_names import corrective_names
from blender_smirk.rig import build_head
from smirk_core.heads.decode import lid_features, pose_rotations

NAMES = ["left_lid_arc", "left_lid_down", "right_lid_arc", "right_lid_down"]


@pytest.mark.parametrize("closure", [0.0, 0.3, 1.0])
def test_lids_features_are_the_decoders(closure: float) -> None:
    whole = toy_head()
    features = np.concatenate([whole.corrective_features[:8], [36, 37, 38, 39]]).astype(np.int32)
    model = toy_head(corrective_features=features)
    assert corrective_names(model)[8:] == [f"corrective_{n}" for n in NAMES]
    head = build_head(model, np.zeros(model.identity_size), "Head")
    assert all(d.driver.is_simple_expression and d.driver.is_valid for d in head.keys.animation_data.drivers)
    lids, eyes = np.array([[closure, 0.5 * closure]]), np.array([[0.4, 0.2, -0.3, 0.1]])
    for side, name in enumerate(("left", "right")):
        head.keys.key_blocks[("eyeBlinkLeft", "eyeBlinkRight")[side]].value = lids[0, side]
        turn = eyes[0, 2 * side : 2 * side + 2]
        angle = float(np.linalg.norm(turn))
        bone = head.armature.pose.bones[f"{name}_eye"]
        bone.rotation_quaternion = (np.cos(angle / 2), *np.sin(angle / 2) / angle * turn, 0.0)
    bpy.context.view_layer.update()
    turned = (pose_rotations({"eyes": eyes}, np.zeros(1), 1)[:, 1:] - np.eye(3)).reshape(1, -1)
    wanted = lid_features(lids, turned)[0]
    keys = head.keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
    found = [keys[f"corrective_{n}"].value for n in NAMES]
    assert found == pytest.approx(wanted.tolist(), abs=2e-6)
