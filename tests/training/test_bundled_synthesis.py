# SPDX-License-Identifier: Apache-2.0
"""The bundled network on photographs by neural synthesis: crops, who learns from what, resuming, switches."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.paths import frozen  # noqa: E402
from training.bundled import calibrate  # noqa: E402
from training.bundled.answers import Answers  # noqa: E402
from training.bundled.states import load_network, make, read_state  # noqa: E402
from training.bundled.synthesis import main, train  # noqa: E402
from training.bundled.synthesis_photos import Photos  # noqa: E402
from training.bundled.synthesis_stage import Settings, Stage  # noqa: E402
from training.bundled.train import train as pretrain  # noqa: E402
from training.bundled.views import Views  # noqa: E402
from training.data.bank import Bank, write_bank  # noqa: E402
from training.data.fit_portraits import GROUPS  # noqa: E402

SMALL = Settings(batch=4, width=4, alone=0.0, cycle_every=1)


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def answers(head):
    return Answers(head)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    write_bank("synthetic", folder, 32, size=32)
    return folder


@pytest.fixture(scope="module")
def start(bank, tmp_path_factory):
    run = tmp_path_factory.mktemp("teacher")
    pretrain("teacher", run, bank, minutes=0.02, batch=16)
    return run


@pytest.fixture(scope="module")
def portraits(head, bank, tmp_path_factory):
    """(faces, fits): drawn faces as files, with what is known of them as their fits."""
    folder = tmp_path_factory.mktemp("faces")
    rows = np.arange(8)
    drawn = Bank.open(bank)
    groups = {n: v.numpy() for n, v in drawn.groups(rows).items()}
    for row, picture in enumerate(drawn.images(rows)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{row}.png")
    scale, x, y = groups["camera"].T
    zoom = 16 * scale
    groups["camera"] = np.stack([zoom, zoom * x + 15.5, 15.5 - zoom * y], 1)
    names = np.array([f"{row}.png" for row in rows])
    rest = {"error": np.zeros(8), "size": np.full((8, 2), 32), "reason": np.zeros(8, np.uint8)}
    np.savez(folder / "fits.npz", **{n: groups[n] for n in GROUPS}, **rest, name=names, head=np.array(head.digest))
    return folder, folder / "fits.npz"


@pytest.fixture
def stage(head, answers, start):
    def made(settings=SMALL):
        network = make("teacher", answers, 32, (1, 1, 2))
        network.load_state_dict(read_state(start)["average"]["values"])
        return Stage(network, answers, head, 32, settings)

    return made


@pytest.fixture(scope="module")
def photos(head, portraits):
    return Photos.load(portraits[1], portraits[0], head, 32)


def test_pictures_and_points_are_cut_alike():
    size = 65
    line = torch.linspace(0, 255, size).round().to(torch.uint8)
    x, y = line.expand(size, size), line[:, None].expand(size, size)
    picture = torch.stack([x, y, torch.zeros_like(x)])[None].repeat(3, 1, 1, 1)
    photos = Photos(picture, torch.rand(3, 478, 2) * 0.4 - 0.2)
    batch = photos.crop(
        torch.tensor([2, 0, 1]), torch.tensor([1.1, 1.3, 1.5]), torch.tensor([[0.1, 0.0], [0.0, -0.1], [0.05, 0.1]]),
        torch.tensor([0.0, 0.15, -0.1]), 64,
    )  # fmt: skip
    points = batch.landmarks["mediapipe_478"]
    seen = torch.nn.functional.grid_sample(batch.image, points[:, None], align_corners=False)[:, :2, 0]
    # A pixel's colour says where it was: the first and last centres lie half a pixel inside the picture's edges.
    wanted = (photos.points[[2, 0, 1]] * size / (size - 1) + 1) / 2
    torch.testing.assert_close(seen.transpose(1, 2), wanted, atol=0.004, rtol=0)


def test_photographs_lie_where_their_fits_say(photos):
    assert len(photos) == 8
    rows = torch.arange(8)
    batch = photos.crop(rows, torch.full((8,), 1.3), torch.zeros(8, 2), torch.zeros(8), 32)
    points = batch.landmarks["mediapipe_478"]
    box = points.amax(1) - points.amin(1)
    torch.testing.assert_close(box.mean(1), torch.full((8,), 2 / 1.3), atol=0.02, rtol=0)
    assert (batch.hull.float().mean((1, 2, 3)) > 0.15).all()
    again, same = photos.batch(4, 32, 7), photos.batch(4, 32, 7)
    assert torch.equal(again.image, same.image)
    assert not torch.equal(again.image, photos.batch(4, 32, 8).image)


def test_photographs_teach_expressions_and_nothing_else(stage, photos, answers):
    stage = stage()
    network = stage.network
    before = {n: b.clone() for n, b in network.named_buffers()}
    batch = photos.batch(4, 32, 0)
    _, made = stage.paths.reconstruct(batch)
    (made.image - batch.image).abs().mean().backward()
    taught = network.head.weight.grad.abs().sum(1) > 0
    parts = answers.parts
    assert taught[parts["expression"].columns].any() and taught[parts["jaw"].columns].all()
    for name in ("rotation", "camera", "identity", "eyes", "points", "point_sigma", "face_sigma", "visibility"):
        assert not taught[parts[name].columns].any(), name
    assert all(torch.equal(b, before[n]) for n, b in network.named_buffers())

    network.zero_grad()
    stage.paths.encoder.listens = False
    _, made = stage.paths.reconstruct(batch)
    (made.image - batch.image).abs().mean().backward()
    assert all(p.grad is None for p in network.parameters())
    assert any(p.grad is not None for p in stage.paths.generator.parameters())


def test_the_generator_learns_whose_face_it_was(stage, photos):
    paths = stage().paths
    image = photos.batch(2, 32, 0).image.requires_grad_()
    with frozen(paths.encoder):
        paths.encode(image)["identity"].square().sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is None for p in paths.encoder.parameters())


def test_losses_fall_on_few_pictures(stage, photos, bank, answers, head):
    class Same(Photos):
        """The same pictures in every batch."""

        def batch(self, count, size, seed):
            return super().batch(count, size, 7)

    few = Same(photos.pictures, photos.points)
    learner, views, faces = stage(replace(SMALL, generator_rate=1e-2, rate=1e-3)), Views(answers, head), Bank.open(bank)
    learner.step = 100  # rates have risen
    batch = few.batch(4, 32, 7)

    def error() -> float:
        """Of a synthesis of the same pictures."""
        _, made = learner.paths.reconstruct(batch, torch.Generator().manual_seed(0))
        return float((made.image - batch.image).abs().mean().detach())

    before = error()
    lines = [learner(few, faces, views, 0.2)[0] for _ in range(32)]
    assert error() < 0.75 * before
    first, last = (np.mean([line["bank"] for line in some]) for some in (lines[:8], lines[-8:]))
    assert last < first - 0.1


def test_a_stopped_run_ends_with_the_same_bits(start, bank, portraits, tmp_path):
    words = {"faces": portraits[0], "fits": portraits[1], "settings": SMALL, "steps": 2}
    train(tmp_path / "whole", start, bank, **words)
    for _ in range(2):  # each goes on by a step
        train(tmp_path / "pieces", start, bank, stop_after=1e-9, **words)
    whole, pieces = read_state(tmp_path / "whole"), read_state(tmp_path / "pieces")
    assert whole["step"] == pieces["step"] == 2
    for part in ("network", "generator"):
        assert all(torch.equal(v, pieces[part][n]) for n, v in whole[part].items())
    assert all(torch.equal(v, pieces["average"]["values"][n]) for n, v in whole["average"]["values"].items())


@pytest.mark.parametrize("switch", [[], ["--no-cycle"], ["--no-synthesis"]])
def test_switches(switch, start, bank, portraits, answers, tmp_path, capsys):
    run = tmp_path / "run"
    given = [str(run), "--from", str(start), "--bank", str(bank), "--steps", "100", "--batch", "2"]
    given += ["--stop-after", "0.002", "--cycle-every", "1", "--held-out", str(bank)]
    photographs = ["--faces", str(portraits[0]), "--fits", str(portraits[1])]
    assert main([*given, *switch, *([] if "--no-synthesis" in switch else photographs)]) == 0
    state = read_state(run)
    assert bool(state["generator"]) == ("--no-synthesis" not in switch)
    assert (run / "pictures").is_dir() == ("--no-synthesis" not in switch)
    line = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert line["faces"] == state["seen"] == state["step"] * (2 if "--no-synthesis" in switch else 4)
    if state["generator"]:
        (picture,) = (run / "pictures").iterdir()
        assert Image.open(picture).width == 32 * (4 if switch else 8)
    # What reads runs of ``train`` reads these too.
    found = calibrate.calibrate(load_network(run, answers), answers, Bank.open(bank))
    assert np.isfinite(found.gain["expression"]).all()
    if not switch:
        assert main([*given, "--no-synthesis"]) == 2
        assert "another choice" in capsys.readouterr().err


def test_what_is_missing_is_said(start, bank, tmp_path):
    with pytest.raises(TrainingError, match="--faces and --fits"):
        train(tmp_path / "a", start, bank, steps=1)
    with pytest.raises(TrainingError, match="no state"):
        train(tmp_path / "b", tmp_path, bank, steps=1)
    write_bank("synthetic", tmp_path / "other", 4, size=48)
    with pytest.raises(TrainingError, match="48 pixels"):
        train(tmp_path / "c", start, tmp_path / "other", steps=1)
