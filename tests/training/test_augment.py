# SPDX-License-Identifier: Apache-2.0
"""Faces changed at random: what must hold of pictures, landmarks, hulls and truth whatever the dice say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.landmark_sets import MEDIAPIPE_105  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.face_model import FaceModel  # noqa: E402
from smirk_core.neural.paths import Batch  # noqa: E402
from training.data import photo_noise as noise  # noqa: E402
from training.data.augment import Augment, moved  # noqa: E402
from training.data.covers import covered  # noqa: E402
from training.data.dice import Dice  # noqa: E402
from training.data.mirror import Mirror, landmark_mirror, mirrored  # noqa: E402
from training.data.plain import plain_batch  # noqa: E402

SIZE = 64
NAMES = ("mediapipe_478", "mediapipe_105", "ibug_68")


@pytest.fixture(scope="module")
def face():
    return FaceModel(load_head("open"), SIZE, landmarks=NAMES)


@pytest.fixture(scope="module")
def batch(face):
    made = plain_batch(face, 4, torch.Generator().manual_seed(3))
    trust = {"ibug_68": torch.rand(4, 68, generator=torch.Generator().manual_seed(1)), "mediapipe_478": torch.ones(4)}
    eyes = torch.tensor([[0.1, 0.2, -0.05, 0.15], [0, 0, 0, 0], [0.2, -0.3, 0.2, -0.3], [-0.1, 0.1, 0.0, 0.3]])
    neck = 0.1 * torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    truth = dict(made.truth) | {"eyes": eyes, "neck": neck}
    mesh = face.mesh(truth)
    drawn = face.render(mesh, truth["camera"])
    return replace(made, image=drawn.image.detach(), landmarks=mesh.landmarks, trust=trust, truth=truth)


def same(a: Batch, b: Batch, tolerance=1e-6):
    torch.testing.assert_close(a.image, b.image, atol=tolerance, rtol=0)
    assert bool((a.hull == b.hull).all())
    for one, other in ((a.landmarks, b.landmarks), (a.trust, b.trust), (a.truth, b.truth)):
        assert set(one) == set(other)
        for name in one:
            torch.testing.assert_close(one[name], other[name], atol=tolerance, rtol=0)


def test_flipping_twice_is_nothing_and_once_touches_only_what_was_chosen(face, batch):
    mirror = Mirror.of(face.model)
    which = torch.tensor([True, False, True, True])
    once = mirrored(batch, which, mirror)
    same(mirrored(once, which, mirror), batch)
    torch.testing.assert_close(once.image[1], batch.image[1])
    torch.testing.assert_close(once.truth["rotation"][1], batch.truth["rotation"][1])
    assert not torch.allclose(once.image[0], batch.image[0])
    assert not torch.allclose(once.trust["ibug_68"][0], batch.trust["ibug_68"][0])


def test_the_flipped_truth_is_the_truth_of_the_flipped_picture(face, batch):
    """The head posed with mirrored parameters gives the mirrored mesh, landmarks and picture."""
    flipped = mirrored(batch, torch.ones(4, dtype=torch.bool), Mirror.of(face.model))
    mesh = face.mesh(flipped.truth)
    for name in NAMES:
        error = (mesh.landmarks[name] - flipped.landmarks[name]).norm(dim=-1) * SIZE / 2
        assert error.max() < 0.1, name  # pixels; the embeddings are symmetric to 0.15 mm
    drawn = face.render(mesh, flipped.truth["camera"])
    apart = (drawn.image - flipped.image).abs().mean(1)
    assert apart.mean() < 2e-3 and (apart > 0.1).float().mean() < 0.005  # single pixels at silhouettes
    # The test would see a mistake: each group left unmirrored gives another face.
    wrong = ("expression", "jaw", "eyelids", "rotation", "camera", "identity", "neck", "eyes")
    before = face.mesh(flipped.truth).vertices
    for name in wrong:
        groups = dict(flipped.truth) | {name: batch.truth[name]}
        other = face.mesh(groups)
        moved_by = (other.vertices - before).norm(dim=-1).max()
        shifted = (other.landmarks["mediapipe_478"] - flipped.landmarks["mediapipe_478"]).abs().max()
        assert max(float(moved_by), float(shifted)) > 1e-3, name


def test_landmark_pairs():
    from training.data.mediapipe_points import TASK_FILE, mirror_permutation

    for name in NAMES:
        pairs = np.array(landmark_mirror(name))
        assert (pairs[pairs] == np.arange(len(pairs))).all()
    fan = landmark_mirror("ibug_68")
    for one, other in ((0, 16), (8, 8), (17, 26), (30, 30), (31, 35), (36, 45), (37, 44), (40, 47), (48, 54), (60, 64),
                       (61, 63), (57, 57), (66, 66)):  # fmt: skip
        assert fan[one] == other and fan[other] == one
    whole, few = landmark_mirror("mediapipe_478"), landmark_mirror("mediapipe_105")
    assert [MEDIAPIPE_105[p] for p in few] == [whole[n] for n in MEDIAPIPE_105]
    if TASK_FILE.exists():
        assert (np.array(whole) == mirror_permutation()).all()
    with pytest.raises(TrainingError, match="cannot be mirrored"):
        landmark_mirror("ears")


def test_what_cannot_be_mirrored_is_said(face, batch):
    all_ = torch.ones(4, dtype=torch.bool)
    with pytest.raises(TrainingError, match="known truth"):
        mirrored(batch, all_)
    with pytest.raises(TrainingError, match="identity cannot be mirrored"):
        mirrored(batch, all_, Mirror(Mirror.of(face.model).expression, None))
    with pytest.raises(TrainingError, match="hat cannot be mirrored"):
        Mirror.of(face.model).truth({"hat": torch.zeros(1, 1)})


def blobs(points, size=SIZE):
    """(B, 3, S, S) with a soft spot at each of (B, 3, 2) crop coordinates, one a channel."""
    line = (2 * torch.arange(size) + 1) / size - 1
    dx = line[None, None, None] - points[..., 0][..., None, None]
    dy = line[None, None, :, None] - points[..., 1][..., None, None]
    return torch.exp(-(dx**2 + dy**2) / 0.02)


def test_landmarks_go_where_the_picture_goes():
    points = torch.tensor([[[0.3, -0.2], [-0.4, 0.1], [0.0, 0.35]]]).repeat(5, 1, 1)
    photo = Batch(blobs(points), torch.ones(5, 1, SIZE, SIZE, dtype=torch.bool), {"spots": points})
    angle = torch.tensor([0.0, 0.3, -0.2, 0.1, 0.0])
    scale, shift = (
        torch.tensor([1.0, 1.0, 0.9, 1.1, 1.0]),
        torch.tensor([[0, 0], [0, 0], [0.1, 0], [0.05, -0.1], [0, 0.2]]),
    )
    after = moved(photo, angle, scale, shift)
    weight = after.image / after.image.sum((2, 3), keepdim=True)
    line = (2 * torch.arange(SIZE) + 1) / SIZE - 1
    found = torch.stack([(weight * line).sum((2, 3)), (weight * line[:, None]).sum((2, 3))], -1)
    torch.testing.assert_close(found, after.landmarks["spots"], atol=5e-3, rtol=0)
    assert after.landmarks["spots"][1, 0, 1] < points[1, 0, 1]  # counter-clockwise as seen: what is right goes up


def test_the_hull_follows_the_landmarks(batch):
    photo = replace(batch, truth={})
    after = moved(photo, torch.full((4,), 0.15), torch.full((4,), 0.95), torch.full((4, 2), 0.05))
    mean = [(h.nonzero()[:, 1:].float().mean(0) + 0.5) * 2 / SIZE - 1 for h in after.hull]
    for middle, points in zip(mean, after.landmarks["mediapipe_478"], strict=True):
        low, high = points.amin(0), points.amax(0)
        assert ((middle.flip(0) - (low + high) / 2).abs() < 0.1).all()
    area = after.hull.float().mean((1, 2, 3)) / batch.hull.float().mean((1, 2, 3))
    assert ((area - 0.95**2).abs() < 0.06).all()


def test_faces_whose_pose_is_known_are_not_moved_but_photos_are(face, batch):
    change = Augment(noise=False, covers=0.0, flip=0.0, geometry=1.0)
    same(change(batch, 1), batch)
    photo = replace(batch, truth={"identity": batch.truth["identity"]})
    assert not torch.allclose(change(photo, 1).landmarks["ibug_68"], batch.landmarks["ibug_68"])


def test_the_same_seed_gives_the_same_batch_and_another_another(face, batch):
    change = Augment(mirror=Mirror.of(face.model))
    first = change(batch, 7)
    same(first, change(batch, 7))
    assert not torch.allclose(first.image, change(batch, 8).image)
    assert first.image.min() >= 0 and first.image.max() <= 1 and torch.isfinite(first.image).all()


def test_settings_are_checked():
    assert Augment.of({"original": True}).flip == 0 and Augment.of({"original": True}).covers == 0
    for words, message in (({"flop": 1}, "no setting 'flop'"), ({"flip": 2.0}, "a chance"), ({"zoom": 1.5}, "zoom")):
        with pytest.raises(TrainingError, match=message):
            Augment.of(words)


# What OpenCV's CLAHE (4.11, grid 2 x 2) makes of the picture below, every fifth row and fourth column.
CLAHE = {
    2.0: [
        [174, 242, 251, 234, 187, 154, 129, 182, 235],
        [169, 216, 222, 198, 144, 94, 66, 113, 176],
        [118, 164, 183, 149, 89, 49, 18, 68, 142],
        [64, 108, 134, 107, 69, 27, 8, 58, 135],
        [38, 84, 118, 97, 67, 32, 37, 82, 164],
        [38, 93, 144, 125, 93, 55, 69, 115, 205],
        [64, 140, 192, 176, 138, 86, 94, 140, 218],
        [117, 209, 238, 218, 178, 118, 118, 151, 218],
    ],
    4.0: [
        [169, 242, 251, 234, 183, 148, 136, 197, 241],
        [163, 216, 224, 199, 131, 93, 68, 123, 191],
        [101, 157, 183, 140, 79, 46, 9, 70, 156],
        [34, 88, 126, 84, 56, 20, 2, 58, 141],
        [12, 54, 100, 73, 50, 23, 29, 79, 164],
        [11, 65, 132, 109, 71, 39, 56, 105, 212],
        [31, 126, 191, 172, 131, 63, 76, 142, 225],
        [96, 208, 237, 219, 175, 107, 108, 160, 225],
    ],
}  # fmt: skip


@pytest.mark.parametrize("clip", [2.0, 4.0])
def test_adaptive_equalisation_is_opencvs(clip):
    y, x = np.mgrid[:40, :36]
    grey = (120 + 60 * np.sin(x / 5) + 50 * np.cos(y / 7 + x / 20) + ((x * 7 + y * 13) % 11)).clip(0, 255)
    levels = torch.tensor(grey.astype(np.uint8)).float()[None] / 255
    found = noise.equalised(levels, torch.tensor([clip]), 2)[0, ::5, ::4] * 255
    assert (found - torch.tensor(CLAHE[clip])).abs().max() <= 1.01  # whole levels; halves are rounded either way


def test_each_change_leaves_pictures_as_they_are_at_its_neutral_amount():
    image = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    zero, one = torch.zeros(3), torch.ones(3)
    for after in (
        noise.brightness_contrast(image, zero, zero), noise.gamma(image, one), noise.hue_turned(image, zero),
        noise.colour_jitter(image, one, one, one, zero), noise.rgb_shift(image, torch.zeros(3, 3)),
        noise.blur(image, zero), noise.hue_turned(image, one),
    ):  # fmt: skip
        torch.testing.assert_close(after, image, atol=2e-6, rtol=0)


def test_devices_and_processors_change_the_same_pictures_alike():
    """Whether all pictures are computed and some picked, or only those: the result is one."""
    random = torch.Generator().manual_seed(5)
    image = torch.rand(6, 3, 24, 24, generator=random)
    for hit in ([True, False, True, True, False, False], [False] * 6, [True] * 6):
        for change, amounts in (
            (noise.gamma, (torch.linspace(0.8, 1.2, 6),)), (noise.clahe, (torch.linspace(1, 4, 6),)),
            (noise.blur, (torch.tensor([0.0, 1, 2, 3, 2, 1]),)), (noise.rgb_shift, (torch.rand(6, 3) - 0.5,)),
        ):  # fmt: skip
            one, other = (noise.partly(image, torch.tensor(hit), change, *amounts, all_rows=a) for a in (True, False))
            torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
            assert (one == image).flatten(1).all(1)[~torch.tensor(hit)].all()


def test_changes_do_what_their_names_say():
    red = torch.tensor([0.8, 0.2, 0.2])[None, :, None, None].expand(1, 3, 8, 8)
    turned = noise.hue_turned(red, torch.tensor([1 / 3]))
    torch.testing.assert_close(turned[0, :, 0, 0], torch.tensor([0.2, 0.8, 0.2]), atol=1e-6, rtol=0)
    grey = noise.colour_jitter(red, torch.ones(1), torch.ones(1), torch.zeros(1), torch.zeros(1))
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-6
    spot = torch.zeros(1, 3, 9, 9)
    spot[..., 4, 4] = 1
    soft = noise.blur(spot.expand(3, -1, -1, -1), torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(soft[:, 0, 4, 4], torch.tensor([1 / 9, 1 / 25, 1 / 49]))


def test_noise_has_the_strengths_of_the_specification():
    """Variance 10 to 50 on 0..255 with a chance of a half; other changes switched off by a grey picture's symmetry."""
    grey = torch.full((400, 3, 16, 16), 0.5)
    after = noise.photo_noise(grey, Dice(0))
    spread = (after - after.mean((2, 3), keepdim=True)).std((1, 2, 3)) * 255
    noisy = spread > 1.0
    assert 0.3 < noisy.float().mean() < 0.7
    assert spread.max() < 1.6 * 50**0.5  # gain by other changes is at most 1.2 in contrast, and gamma
    assert (after != grey).flatten(1).any(1).float().mean() > 0.9


def test_covers_lie_on_the_face_and_change_nothing_else():
    hull = torch.zeros(64, 1, 32, 32, dtype=torch.bool)
    hull[:, :, 10:20, 12:22] = True
    image = torch.zeros(64, 3, 32, 32)
    after = covered(image, hull, Dice(1), 1.0)
    hit = (after != 0).any(1)
    assert (hit[:, 10:20, 12:22].any(2).any(1)).float().mean() > 0.4  # the others have a black neighbour's texture
    assert not hit[:, :2].any() and not hit[:, 30:].any()
    torch.testing.assert_close(covered(image, hull, Dice(1), 0.0), image)
