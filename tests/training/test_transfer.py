# SPDX-License-Identifier: Apache-2.0
"""Exchange of expressions between people, with encoders that answer from a script."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.face_model import FaceModel  # noqa: E402
from training.data.plain import random_groups  # noqa: E402
from training.plain_renderer import numpy_picture  # noqa: E402
from training.transfer import exchanged, transfer  # noqa: E402


@pytest.fixture(scope="module")
def face():
    return FaceModel(load_head(), 32, landmarks=("mediapipe_478",))


@pytest.fixture(scope="module")
def groups(face):
    return random_groups(face.model, 3, torch.Generator().manual_seed(0))


def scripted(*answers):
    """An encoder that gives these answers one after the other, and the pictures that it was shown."""
    left, shown = iter(answers), []

    def encode(image):
        shown.append(image)
        return next(left)

    return encode, shown


def test_an_encoder_that_sees_all_loses_nothing(face, groups):
    encode, shown = scripted(groups, exchanged(groups), groups)
    out = transfer(face, encode, torch.zeros(3, 3, 32, 32))
    assert set(out.values()) == {0.0} and len(out) == 4
    both = {k: v[1:2] for k, v in groups.items()} | {k: groups[k][:1] for k in ("expression", "jaw", "eyelids")}
    mesh = face.mesh(both)
    drawn = face.render(mesh, both["camera"])
    picture = numpy_picture(face, drawn.projected[0].numpy(), mesh.vertices[0].numpy())
    assert torch.allclose(shown[1][1], picture, atol=1e-5)  # the first one's expression on the second one
    assert not torch.allclose(shown[2][1], picture, atol=1e-2)


def test_an_encoder_that_takes_faces_for_expressions_is_found_out(face, groups):
    encode, _ = scripted(groups, groups, groups)  # it goes by who somebody is, not by what is on the face
    out = transfer(face, encode, torch.zeros(3, 3, 32, 32))
    assert out["transfer_expression"] > 1 and out["transfer_kept_expression"] == 0 and out["transfer_drift_mm"] == 0
    leaked = exchanged(groups) | {"identity": groups["identity"].roll(1, 0)}  # identity follows the expression
    encode, _ = scripted(groups, leaked, groups)
    out = transfer(face, encode, torch.zeros(3, 3, 32, 32))
    assert out["transfer_drift_mm"] > 0.5 and out["transfer_expression"] == 0


def test_constant_answers_and_lonely_faces(face, groups):
    constant = groups | {"expression": groups["expression"][:1].expand(3, -1)}
    encode, _ = scripted(constant, constant, constant)
    assert math.isnan(transfer(face, encode, torch.zeros(3, 3, 32, 32))["transfer_expression"])
    assert transfer(face, encode, torch.zeros(1, 3, 32, 32)) == {}
