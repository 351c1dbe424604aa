# SPDX-License-Identifier: Apache-2.0
"""Synthetic people: truth is exact, seeds decide, batches do not mix, and what is hidden is not trusted."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.heads.decode import decode, landmark_points  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.mesh_render import project_crop  # noqa: E402
from smirk_core.neural.torch_head import torch_head  # noqa: E402
from training.data.acting import Actor, sample_weights  # noqa: E402
from training.data.dice import Dice  # noqa: E402
from training.data.framing import batch_of, composed, crop_camera, head_turns  # noqa: E402
from training.data.source import Request, open_source  # noqa: E402
from training.data.synthetic import SyntheticFaces, take  # noqa: E402


@pytest.fixture(scope="module")
def faces():
    torch.set_num_threads(2)
    return SyntheticFaces(load_head("open"), 64)


@pytest.fixture(scope="module")
def batch(faces):
    return faces.batch(7, 6)


def test_truth_is_exact(faces, batch):
    """Decoding the truth gives every landmark, to float32's last digits."""
    head = torch_head(faces.model)
    vertices = decode(head, batch.truth).vertices
    for name in ("mediapipe_478", "mediapipe_105"):
        points = project_crop(landmark_points(head, vertices, faces.model.landmarks[name]), batch.truth["camera"])
        torch.testing.assert_close(batch.landmarks[name], points[..., :2], atol=1e-5, rtol=0)


def test_pictures_show_what_the_truth_says(faces):
    """The drawn head covers the places of the landmarks that are trusted, and nothing else is as near."""
    dice = Dice(3)
    scene = faces.sample(dice, 4)
    drawn = faces.draw(scene)
    points = project_crop(landmark_points(faces.head, scene.vertices, faces.model.landmarks["mediapipe_478"]),
                          scene.groups["camera"])  # fmt: skip
    at = ((points[..., :2] + 1) * 32 - 0.5).round().long().clamp(0, 63)
    inside = (points[..., :2].abs() < 0.9).all(-1)
    covered = drawn.fragments.covered[torch.arange(4)[:, None], at[..., 1], at[..., 0]]
    assert covered[inside].float().mean() > 0.97  # a point on the very outline may round to outside


def test_shapes_and_ranges(faces, batch):
    assert batch.image.shape == (6, 3, 64, 64) and batch.image.isfinite().all()
    assert batch.image.min() >= 0 and batch.image.max() <= 1
    assert batch.image.flatten(1).std(1).min() > 0.02
    assert set(batch.truth) == {"expression", "eyelids", "jaw", "eyes", "identity", "rotation", "camera"}
    low, high = faces.model.expression_range
    assert batch.truth["expression"].min() >= low and batch.truth["expression"].max() <= high
    assert batch.hull.flatten(1).float().mean(1).min() > 0.15
    assert batch.truth["identity"].abs().max() <= 2.5


def test_a_seed_decides_everything(faces, batch):
    again, other = faces.batch(7, 6), faces.batch(8, 6)
    assert torch.equal(batch.image, again.image)
    assert all(torch.equal(batch.truth[k], again.truth[k]) for k in batch.truth)
    assert not torch.equal(batch.image, other.image)


def test_faces_of_a_batch_do_not_mix(faces):
    scene = faces.sample(Dice(11), 5)
    together = faces.draw(scene).image
    for i in (0, 3):
        alone = faces.draw(take(scene, slice(i, i + 1))).image[0]
        torch.testing.assert_close(alone, together[i], atol=2e-4, rtol=0)


def test_the_far_side_is_not_trusted(faces):
    dice = Dice(1)
    scene = faces.sample(dice, 2)
    groups = dict(scene.groups)
    groups["rotation"] = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    vertices = decode(faces.head, groups).vertices
    marks = landmark_points(faces.head, vertices, faces.model.landmarks["mediapipe_478"])
    groups["camera"] = crop_camera(marks, dice, 1.4, 1.4, 0.0)
    scene = type(scene)(**(scene.__dict__ | {"groups": groups, "vertices": vertices,
                                             "held_alpha": torch.zeros_like(scene.held_alpha)}))  # fmt: skip
    drawn = faces.draw(scene)
    trust = batch_of(faces.head, drawn.image, vertices, groups, drawn.fragments).trust["mediapipe_478"]
    # Turned to the subject's left by 57 degrees, the left cheek's outline is seen no more.
    left, right = [454, 323, 361], [234, 93, 132]
    assert trust[0, left].sum() == 0 or trust[0, right].sum() == 0
    assert trust[1].mean() > 0.9 > trust[0].mean() > 0.4


def test_occluders_take_trust_away(faces):
    scene = faces.sample(Dice(2), 2)
    hidden = torch.zeros(2, 64, 64, dtype=torch.bool)
    hidden[:, 20:44, 10:54] = True
    drawn = faces.draw(scene)
    free = batch_of(faces.head, drawn.image, scene.vertices, scene.groups, drawn.fragments)
    less = batch_of(faces.head, drawn.image, scene.vertices, scene.groups, drawn.fragments, hidden)
    assert less.trust["mediapipe_478"].sum() < 0.8 * free.trust["mediapipe_478"].sum()
    assert torch.equal(less.landmarks["mediapipe_478"], free.landmarks["mediapipe_478"])


@pytest.mark.parametrize("size", [8, 17])
def test_tiny_pictures(size):
    tiny = SyntheticFaces(load_head("open"), size, supersample=1).batch(0, 2)
    assert tiny.image.shape == (2, 3, size, size) and tiny.image.isfinite().all()


def test_the_source_goes_on_where_it_stopped():
    request = Request(size=16, batch=2, seed=5)
    first = list(islice(open_source("synthetic", request), 3))
    later = next(open_source("synthetic", Request(size=16, batch=2, seed=5, start=2)))
    assert torch.equal(first[2].image, later.image) and not torch.equal(first[1].image, later.image)


def test_performances_cover_what_is_asked():
    weights = sample_weights(Dice(0), 4000)
    assert weights.min() >= 0 and weights.max() <= 1
    from smirk_core.heads.arkit import ARKIT_INDEX as at

    left, right = weights[:, at["mouthSmileLeft"]], weights[:, at["mouthSmileRight"]]
    smiling = torch.maximum(left, right) > 0.3
    assert 0.1 < ((left - right).abs() > 0.2)[smiling].float().mean() < 0.6  # lopsided ones
    blink = weights[:, [at["eyeBlinkLeft"], at["eyeBlinkRight"]]]
    assert 0.05 < (blink.amin(1) > 0.95).float().mean() < 0.2  # both eyes closed
    assert ((blink[:, 0] - blink[:, 1]).abs() > 0.5).float().mean() > 0.02  # winks
    quiet = weights[:, [i for n, i in at.items() if not n.startswith("eye")]].amax(1) < 0.11
    assert 0.05 < quiet.float().mean() < 0.25
    assert (weights[:, at["mouthClose"]] <= weights[:, at["jawOpen"]] + 1e-6).all()
    assert (weights.amax(0) > 0.5).all()  # nothing is never seen


def test_the_actor_agrees_with_the_table_of_arkit():
    from smirk_core.heads.arkit import groups_from_arkit

    head = load_head("open")
    weights = sample_weights(Dice(4), 20)
    ours, theirs = Actor(head).groups(weights), groups_from_arkit(head, weights.numpy().astype(np.float64))
    assert set(ours) == set(theirs)
    for name, wanted in theirs.items():
        np.testing.assert_allclose(ours[name].numpy(), wanted, atol=1e-6)


def test_turns_compose_and_reach_the_side():
    from smirk_core.heads.rotation import matrix_from_rotvec

    a, b = head_turns(Dice(0), 500), head_turns(Dice(1), 500)
    torch.testing.assert_close(
        matrix_from_rotvec(composed(a, b)), matrix_from_rotvec(a) @ matrix_from_rotvec(b), atol=2e-6, rtol=0
    )
    forward = matrix_from_rotvec(a)[..., 2]
    yaw = torch.rad2deg(torch.atan2(forward[:, 0], forward[:, 2]))
    assert 50 < yaw.abs().max() < 66 and (yaw.abs() < 20).float().mean() > 0.4
