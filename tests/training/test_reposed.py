# SPDX-License-Identifier: Apache-2.0
"""Re-posed portraits, made from a drawn face that the tests may use: exact truth, seeds, bad fits, lost pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.decode import decode, landmark_points  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.mesh_render import project_crop  # noqa: E402
from smirk_core.neural.torch_head import torch_head  # noqa: E402
from training.data.album import Album  # noqa: E402
from training.data.dice import Dice  # noqa: E402
from training.data.fit_portraits import GROUPS, REASONS, load_fits, reject  # noqa: E402
from training.data.reduced_head import reduced_head  # noqa: E402
from training.data.reposed import Reposer, reposed  # noqa: E402
from training.data.source import Request, open_source  # noqa: E402
from training.data.synthetic import SyntheticFaces, take  # noqa: E402

SIZE = 160


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, head):
    """Five synthetic portraits with perfect fits; one of each kind of bad fit."""
    torch.set_num_threads(2)
    path = tmp_path_factory.mktemp("faces")
    faces = SyntheticFaces(head, SIZE, supersample=1)
    scene = faces.sample(Dice(4), 9)
    quiet = {n: torch.zeros_like(v) if n in ("expression", "jaw", "eyelids", "eyes") else v
             for n, v in scene.groups.items()}  # fmt: skip
    quiet["rotation"] = 0.2 * quiet["rotation"].clamp(-1, 1)
    marks = landmark_points(faces.head, decode(faces.head, quiet).vertices, head.landmarks["mediapipe_478"])
    middle = (marks.amax(1) + marks.amin(1)) / 2
    quiet["camera"] = torch.cat([torch.full((9, 1), 8.5), -middle[:, :2]], 1)
    scene = replace(scene, groups=quiet, vertices=decode(faces.head, quiet).vertices)
    pictures = faces.draw(scene).image
    for i, image in enumerate(pictures):
        Image.fromarray((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save(path / f"{i}.png")
    fits = {n: quiet[n].numpy() for n in GROUPS}
    # crop camera to pixels: u = (s (X + tx) + 1) S / 2 - 1/2
    s, tx, ty = quiet["camera"].numpy().T
    half = SIZE / 2
    fits["camera"] = np.stack([s * half, half * (1 + s * tx) - 0.5, half * (1 - s * ty) - 0.5], 1).astype(np.float32)
    fits["error"] = np.array([0.001] * 5 + [np.inf, 0.02, 0.001, 0.001], np.float32)
    fits["rotation"][7] = [0, 1.2, 0]
    fits["expression"][8] = 1.0
    fits["size"] = np.full((9, 2), SIZE, np.float32)
    fits["reason"] = reject(head, fits)
    np.savez(path / "fits.npz", **fits, name=np.array([f"{i}.png" for i in range(9)]), head=np.array(head.digest))
    return path


@pytest.fixture(scope="module")
def poser(folder, head):
    return Reposer(head, Album.load(folder / "fits.npz", folder, head, 112), 112)


def test_bad_fits_are_rejected_and_counted(folder, head, poser):
    assert list(load_fits(folder / "fits.npz", head)["reason"]) == [0] * 5 + [1, 2, 3, 4]
    assert len(poser.album) == 5 and poser.album.rejected == dict.fromkeys(REASONS[1:], 1)


def test_truth_is_exact(poser, head):
    batch = poser.batch(1, 4)
    whole = torch_head(head)
    vertices = decode(whole, batch.truth).vertices
    for name in ("mediapipe_478", "mediapipe_105"):
        points = project_crop(landmark_points(whole, vertices, head.landmarks[name]), batch.truth["camera"])
        torch.testing.assert_close(batch.landmarks[name], points[..., :2], atol=2e-5, rtol=0)
    assert batch.image.shape == (4, 3, 112, 112) and batch.image.min() >= 0 and batch.image.max() <= 1


def test_the_same_pose_gives_the_photo_back(poser):
    """Asked for exactly what was fitted, the picture is the photo, but for eyes and mouth, which are painted."""
    rows = torch.arange(5)
    pose = poser.sample(Dice(0), 5, rows)
    groups = {n: v[rows] for n, v in poser.album.groups.items()}
    pose = replace(pose, groups=groups, vertices=decode(poser.head, groups).vertices, lamp=0 * pose.lamp)
    image, found, _ = poser.draw(pose)
    photo = torch.nn.functional.interpolate(
        poser.album.pictures.float() / 255, size=112, mode="bilinear", antialias=True, align_corners=False
    )
    sides = poser._skin[found.triangle.clamp_min(0)] & found.covered
    names = [poser.model.regions[n] for n in ("eyes", "sockets", "lips")]
    near = torch.as_tensor(np.logical_or.reduce(names))[poser.paint.triangles].any(1)
    clear = sides & ~near[found.triangle.clamp_min(0)]
    difference = (image - photo).abs().mean(1)
    assert clear.flatten(1).sum(1).min() > 500
    assert difference[clear].median() < 0.012
    outside = ~found.covered
    assert difference[outside].median() < 0.012  # hair and background stand still


def test_seeds_decide_and_batches_do_not_mix(poser):
    a, b = poser.batch(5, 4), poser.batch(5, 4)
    assert torch.equal(a.image, b.image) and not torch.equal(a.image, poser.batch(6, 4).image)
    pose = poser.sample(Dice(9), 4)
    together = poser.draw(pose)[0]
    alone = poser.draw(take(pose, slice(2, 3)))[0]
    torch.testing.assert_close(alone[0], together[2], atol=2e-4, rtol=0)


def test_plain_torch_draws_the_same(poser, head):
    """What a GPU runs, on the CPU."""
    pose = poser.sample(Dice(2), 3)
    other = Reposer(head, poser.album, 112, backend="torch").draw(pose)[0]
    torch.testing.assert_close(other, poser.draw(pose)[0], atol=1e-4, rtol=0)


def test_the_skin_moves_as_the_truth_does(poser):
    """Where a landmark of the skin goes, its colour goes: checked on the nose and cheeks of a turned face."""
    rows = torch.zeros(1, dtype=torch.int64)
    pose = poser.sample(Dice(3), 1, rows)
    pose = replace(pose, lamp=0 * pose.lamp)
    image = poser.draw(pose)[0]
    marks = poser.model.landmarks["mediapipe_478"]
    before = {n: v[rows] for n, v in poser.album.groups.items()}
    places = [
        project_crop(landmark_points(poser.head, decode(poser.head, g).vertices, marks), g["camera"])[..., :2]
        for g in (before, pose.groups)
    ]
    some = [4, 5, 195, 6, 50, 280, 101, 330, 36, 266, 205, 425]
    photo = poser.album.pictures[rows].float() / 255
    colours = [
        torch.nn.functional.grid_sample(p, xy[:, None, some], align_corners=False)[0, :, 0]
        for p, xy in zip((photo, image), places, strict=True)
    ]
    assert (colours[0] - colours[1]).abs().mean() < 0.06


def test_lost_pictures_are_counted_and_an_empty_album_refused(folder, head, tmp_path):
    for i in (0, 2):
        (tmp_path / f"{i}.png").write_bytes((folder / f"{i}.png").read_bytes())
    (tmp_path / "3.png").write_bytes(b"no picture")
    album = Album.load(folder / "fits.npz", tmp_path, head, 56)
    assert len(album) == 2 and album.rejected["no picture"] == 3
    with pytest.raises(TrainingError, match="None of the portraits"):
        Album.load(folder / "fits.npz", tmp_path / "nowhere", head, 56)


def test_fits_of_another_head_are_refused(folder, head, tmp_path):
    with np.load(folder / "fits.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "other.npz", **(arrays | {"head": np.array("another")}))
    with pytest.raises(TrainingError, match="another head"):
        load_fits(tmp_path / "other.npz", head)
    np.savez(tmp_path / "less.npz", **{k: v for k, v in arrays.items() if k != "camera"})
    with pytest.raises(TrainingError, match="camera is missing"):
        load_fits(tmp_path / "less.npz", head)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_fits(tmp_path / "text.npz", head)


def test_the_source_asks_for_a_size_it_can_make(folder):
    options = {"fits": str(folder / "fits.npz"), "faces": str(folder), "limit": 2}
    batch = next(open_source("reposed", Request(size=28, batch=2), options))
    assert batch.image.shape == (2, 3, 28, 28)
    with pytest.raises(TrainingError, match="multiples of 14"):
        next(reposed(Request(size=30), fits="", faces=""))


def test_a_reduced_head_poses_like_the_whole(head):
    keep = np.zeros(len(head.triangles), bool)
    keep[::7] = True
    part = reduced_head(head, keep)
    rng = np.random.default_rng(0)
    groups = {
        "identity": rng.normal(size=(3, 140)), "expression": rng.random((3, 39)), "eyelids": rng.random((3, 2)),
        "jaw": rng.normal(0, 0.1, (3, 3)), "eyes": rng.normal(0, 0.2, (3, 4)), "rotation": rng.normal(0, 0.4, (3, 3)),
    }  # fmt: skip
    whole, some = decode(head, groups), decode(part.model, groups)
    np.testing.assert_allclose(some.vertices[:, :-5], whole.vertices[:, part.vertices], atol=1e-6)
    np.testing.assert_allclose(some.joints, whole.joints, atol=1e-6)
    np.testing.assert_array_equal(part.vertices[part.model.triangles], head.triangles[part.triangles])
    for name, embedding in head.landmarks.items():
        np.testing.assert_allclose(
            landmark_points(part.model, some.vertices, part.model.landmarks[name]),
            landmark_points(head, whole.vertices, embedding), atol=1e-6,
        )  # fmt: skip
