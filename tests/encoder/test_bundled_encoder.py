# SPDX-License-Identifier: Apache-2.0
"""The encoder that ships: it is the file that its card speaks of, and it reads faces that it has never seen."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import smirk_core
from smirk_core.encoder.architecture import IMAGE_SIZE
from smirk_core.encoder.runtime import BUNDLED_ENCODER_PATH, load_encoder, usual_encoder
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups
from smirk_core.heads.library import load_head
from smirk_core.take import load_take
from smirk_core.tracking.crop import CropTransform
from smirk_core.tracking.crop_encoder import EncodedFaces
from smirk_core.tracking.measured import measured_parameters
from smirk_core.tracking.media import open_media

pytestmark = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="no ONNX Runtime here")
DEMO = Path(smirk_core.__file__).parent / "assets" / "demo"
GROUPS = ("expression", "jaw", "eyelids", "eyes")


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def encoder(head):
    return load_encoder("bundled", head=head)


@pytest.fixture(scope="module")
def seen(encoder):
    """Frames of the demo clip as crops, their matrices, and the performance that was drawn."""
    truth = load_take(DEMO / "demo.take.npz")
    rows = np.arange(0, len(truth), 6)
    frames = {f.index: f.image for f in open_media(DEMO / "demo.mp4").frames(0, None, 6)}
    groups = truth.parameters()
    crops, matrices = [], []
    for row in rows:
        scale, tx, ty = groups["camera"][row]  # a face's landmarks are some 13 cm wide and high
        side = 0.13 * encoder.crop_scale * scale
        k = (IMAGE_SIZE - 1) / side
        crop = CropTransform(np.array([[k, 0, 112 - k * tx], [0, k, 112 - k * ty], [0, 0, 1.0]]))
        crops.append(crop.apply(frames[int(row)]))
        matrices.append(crop.matrix)
    return np.stack(crops), np.array(matrices), {n: groups[n][rows] for n in (*GROUPS, "rotation")}


def test_it_is_the_file_of_its_card(head, encoder):
    card = json.loads(BUNDLED_ENCODER_PATH.with_suffix(".json").read_text())
    assert card["sha256"][BUNDLED_ENCODER_PATH.name] == hashlib.sha256(BUNDLED_ENCODER_PATH.read_bytes()).hexdigest()
    assert encoder.digest == card["sha256"][BUNDLED_ENCODER_PATH.name] and usual_encoder(head) == "bundled"
    assert max(encoder.vertices) < len(head.template) and encoder.size.n_exp == head.expression_size


def test_it_reads_a_performance(head, encoder, seen):
    crops, matrices, truth = seen
    found = measured_parameters(EncodedFaces(encoder.encode(crops), matrices, encoder.vertices), head).groups
    said = arkit_from_groups(head, {n: found[n] for n in GROUPS})
    true = arkit_from_groups(head, {n: truth[n] for n in GROUPS})
    assert np.corrcoef(said.ravel(), true.ravel())[0, 1] > 0.5
    for name, least in (("jawOpen", 0.8), ("mouthSmileLeft", 0.6), ("browDownLeft", 0.4)):
        column = ARKIT_INDEX[name]
        assert np.corrcoef(said[:, column], true[:, column])[0, 1] > least, name
    assert np.abs(found["rotation"] - truth["rotation"]).mean() < 0.15


def test_it_knows_what_is_covered(encoder, seen):
    crops = seen[0]
    open_ = encoder.encode(crops)["region_visibility"]
    covered = crops.copy()
    covered[:, 118:, 10:214] = (60, 70, 90)  # a scarf over the lower half of the face
    hidden = encoder.encode(covered)["region_visibility"]
    mouth, brows = 4, 0
    assert open_.mean() > 0.8
    assert hidden[:, mouth].mean() < 0.5 and hidden[:, brows].mean() > 0.7
