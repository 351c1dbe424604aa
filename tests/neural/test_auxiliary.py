# SPDX-License-Identifier: Apache-2.0
"""Auxiliary networks: every tensor of the official files has its place, damaged and hostile files have none."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from smirk_core.errors import AssetError  # noqa: E402
from smirk_core.neural.auxiliary import mica as mica_module  # noqa: E402
from smirk_core.neural.auxiliary.emotion import EmotionFeatures, EmotionLoss  # noqa: E402
from smirk_core.neural.auxiliary.mica import (  # noqa: E402
    FAN_POINTS,
    MEDIAPIPE_POINTS,
    ArcFace,
    Mica,
    aligned,
    with_aligned,
)
from smirk_core.neural.auxiliary.vgg import PerceptualLoss, Vgg16Features  # noqa: E402
from smirk_core.neural.auxiliary.weights import fill, read_state  # noqa: E402
from smirk_core.neural.paths import Batch  # noqa: E402

KEYS = Path(__file__).parents[2].parent / "shared" / "reference" / "smirk_aux_keys.txt"
needs_keys = pytest.mark.skipif(not KEYS.exists(), reason="the list of the official files' tensors is not here")


def official(start: str) -> dict[str, tuple[int, ...]]:
    rows = [line.rsplit("\t", 1) for line in KEYS.read_text().splitlines() if line.startswith(start)]
    return {name.split(" ")[-1]: tuple(ast.literal_eval(shape)) for name, shape in rows}


def shapes(module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values.shape) for name, values in module.state_dict().items()}


@needs_keys
def test_the_networks_have_the_official_names_and_shapes():
    with torch.device("meta"):
        whole, emotion = Mica(), EmotionFeatures()
    assert shapes(whole.arcface) == official("mica.tar['arcface']") and len(shapes(whole.arcface)) == 925
    assert sum(p.numel() for p in whole.arcface.parameters()) == 65_156_160
    flame = {f"regressor.{n}": s for n, s in shapes(whole.regressor).items()}
    assert flame == {n: s for n, s in official("mica.tar['flameModel']").items() if n.startswith("regressor.")}
    assert sum(p.numel() for p in whole.regressor.parameters()) == 515_100
    wanted = {n: s for n, s in official("emotion").items() if not n.startswith(("backbone.fc.", "linear."))}
    assert {f"backbone.{n}": s for n, s in shapes(emotion).items()} == wanted


def test_vgg_has_torchvisions_names():
    found = shapes(Vgg16Features())
    layers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
    assert list(found) == [f"features.{n}.{part}" for n in layers for part in ("weight", "bias")]
    assert found["features.5.weight"] == (128, 64, 3, 3) and found["features.21.weight"] == (512, 512, 3, 3)


def randomised(module, seed=0):
    """Weights that keep a signal alive through many layers, and statistics that are not trivial."""
    random = torch.Generator().manual_seed(seed)
    for name, values in module.state_dict().items():
        if values.ndim > 1:
            fan = values[0].numel()
            values.copy_(torch.randn(values.shape, generator=random) * (2 / fan) ** 0.5)
        elif name.endswith("running_var"):
            values.copy_(1 + 0.1 * torch.rand(values.shape, generator=random))
        elif values.is_floating_point() and values.ndim:
            values.copy_(0.05 * torch.randn(values.shape, generator=random) + float(name.endswith("weight")))
    return module


def test_vgg_features_and_loss_follow_the_definition(tmp_path):
    vgg = randomised(Vgg16Features())
    state = dict(vgg.state_dict()) | {"features.24.weight": torch.zeros(2), "classifier.0.weight": torch.zeros(3)}
    torch.save(state, tmp_path / "vgg16.pth")
    loaded = Vgg16Features.load(tmp_path / "vgg16.pth")
    made, wanted = torch.rand(2, 2, 3, 224, 224, generator=torch.Generator().manual_seed(1)).unbind(0)

    def maps(x):
        out = []
        for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21)):
            if block[0]:
                x = F.max_pool2d(x, 2)
            for layer in block:
                x = F.relu(F.conv2d(x, state[f"features.{layer}.weight"], state[f"features.{layer}.bias"], padding=1))
            out.append(x)
        return out

    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for faithful in (False, True):

        def normal(x, squeeze=faithful):
            return ((0.5 * x + 0.5 if squeeze else x) - mean[:, None, None]) / deviation[:, None, None]

        expected = sum((a - b).abs().mean() for a, b in zip(maps(normal(made)), maps(normal(wanted)), strict=True))
        found = PerceptualLoss(loaded, faithful=faithful)(made, wanted)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert PerceptualLoss(loaded)(made, made) == 0


def test_losses_teach_the_picture_and_not_the_judge():
    loss = PerceptualLoss(randomised(Vgg16Features()))
    loss.train()
    made = torch.rand(1, 3, 64, 64, requires_grad=True)
    loss(made, torch.rand(1, 3, 64, 64)).backward()
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in loss.parameters())
    assert not any(m.training for m in loss.modules())


def test_the_emotion_network_comes_from_a_lightning_checkpoint(tmp_path):
    network = randomised(EmotionFeatures())
    state = {f"backbone.{n}": v for n, v in network.state_dict().items()}
    state |= {"backbone.fc.weight": torch.zeros(2, 2), "linear.0.weight": torch.zeros(1)}
    torch.save({"epoch": 1, "state_dict": state, "callbacks": {"a": [None]}}, tmp_path / "e.ckpt")
    torch.save(state, tmp_path / "plain.pt")
    loaded = EmotionFeatures.load(tmp_path / "e.ckpt")
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    found = loaded(image)
    assert found.shape == (1, 2048) and found.std() > 0
    torch.testing.assert_close(found, network(image))
    torch.testing.assert_close(EmotionFeatures.load(tmp_path / "plain.pt")(image), found)
    loss = EmotionLoss(loaded)
    assert loss(image, image) == 0 and loss(image.flip(-1) ** 2, image) > 0
    blocks = loaded.get_submodule("layer2.0")
    assert blocks.conv2.stride == (2, 2) and blocks.conv1.stride == (1, 1)  # the stride is on the 3 x 3


def mica_file(path: Path, monkeypatch) -> Mica:
    """A MICA of four blocks and its file."""
    monkeypatch.setattr(mica_module, "_DEPTHS", (1, 1, 1, 1))
    network = randomised(Mica())
    flame = {f"regressor.{n}": v for n, v in network.regressor.state_dict().items()}
    words = {"epoch": 3, "arcface": network.arcface.state_dict(), "opt": {"lr": 0.1}}
    torch.save(words | {"flameModel": flame | {"generator.flame.v_template": torch.zeros(3, 3)}}, path)
    return network


def test_mica_comes_from_its_file_and_sees_red_first(tmp_path, monkeypatch):
    network = mica_file(tmp_path / "mica.tar", monkeypatch)
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(3))
    loaded = Mica.load(tmp_path / "mica.tar")
    found = loaded(faces)
    assert found.shape == (2, 300)
    feature = F.normalize(network.arcface(2 * faces - 1))
    x = feature
    for layer in network.regressor.network:
        x = F.leaky_relu(F.linear(x, layer.weight, layer.bias), 0.2)
    torch.testing.assert_close(found, F.linear(x, network.regressor.output.weight, network.regressor.output.bias))
    original = Mica.load(tmp_path / "mica.tar", faithful=True)
    torch.testing.assert_close(original(faces), loaded(faces.flip(1)))
    assert not torch.allclose(original(faces), found)

    points = torch.rand(2, 478, 2, generator=torch.Generator().manual_seed(4)) - 0.5
    batch = Batch(torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64, dtype=torch.bool),
                  {"mediapipe_478": points, "ibug_68": torch.zeros(2, 68, 2)})  # fmt: skip
    after = with_aligned(batch)
    torch.testing.assert_close(after.aligned, aligned(batch.image, points))
    assert after.trust["aligned"].tolist() == [1, 1]
    unknown = with_aligned(batch, faithful=True)
    assert unknown.aligned is not None and not unknown.aligned.any()
    assert unknown.trust["aligned"].tolist() == [1, 1]  # the original's fault, never NaN


def test_faces_are_aligned_to_the_standard_places():
    """Spots drawn where a turned, scaled face has its five points come out where recognisers expect them."""
    template = torch.tensor(mica_module._TEMPLATE)
    size, points = 160, torch.zeros(3, 68, 2)
    for row, (angle, scale, shift) in enumerate(((0.0, 1.0, 0.0), (0.4, 1.2, 9.0), (-0.3, 0.8, -6.0))):
        turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32)
        pixels = (template - 56) @ turn.T * scale + 80 + shift
        five = (2 * pixels + 1) / size - 1
        for part, place in zip(FAN_POINTS, five, strict=True):
            side = torch.tensor([0.01, 0.0])
            points[row, list(part)] = place + (torch.stack([side, -side]) if len(part) == 2 else 0.0)
    line = (2 * torch.arange(size) + 1) / size - 1
    spots = torch.zeros(3, 3, size, size)
    for number, part in enumerate(FAN_POINTS):
        middle = points[:, list(part)].mean(1)
        away = (line[None, None] - middle[:, :1, None]) ** 2 + (line[None, :, None] - middle[:, 1:, None]) ** 2
        spots[:, number % 3] += torch.exp(-away / 0.0008) * (1 if number < 3 else 0.5)
    faces = aligned(spots, points, FAN_POINTS)
    assert faces.shape == (3, 3, 112, 112)
    for number, (x, y) in enumerate(mica_module._TEMPLATE):
        near = faces[:, number % 3, round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7]
        weight = near / near.sum((1, 2), keepdim=True)
        found = torch.stack([(weight.sum(1) * torch.arange(13)).sum(1), (weight.sum(2) * torch.arange(13)).sum(1)], 1)
        expected = torch.tensor([x - round(x) + 6, y - round(y) + 6])
        torch.testing.assert_close(found, expected.expand(3, 2), atol=0.25, rtol=0)
    black = aligned(spots, torch.zeros(3, 68, 2), FAN_POINTS)
    assert (black == 0).all()
    assert len(MEDIAPIPE_POINTS) == len(FAN_POINTS) == 5


def test_mediapipes_points_are_fans():
    """The same places on the bundled head, within 4 mm."""
    from smirk_core.heads.library import load_head

    head = load_head("open")

    def place(name, part):
        embedding = head.landmarks[name]
        corners = head.template[head.triangles[embedding.triangles[list(part)]]]
        return (corners * embedding.barycentric[list(part)][..., None]).sum(1).mean(0)

    for one, other in zip(MEDIAPIPE_POINTS, FAN_POINTS, strict=True):
        assert np.linalg.norm(place("mediapipe_478", one) - place("ibug_68", other)) < 0.004


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("ran-by-a-pickle"),)


@pytest.mark.parametrize("make, message", [
    (lambda p: torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, p), "lacks 19 of the network's 20"),
    (lambda p: torch.save(dict(Vgg16Features().state_dict()) | {"features.0.bias": torch.zeros(63)}, p), "shape"),
    (lambda p: torch.save(dict(Vgg16Features().state_dict()) | {"features.0.bias": torch.full((64,), torch.nan)}, p),
     "not finite"),
    (lambda p: p.write_bytes(b"PK\x03\x04nothing"), "damaged"), (lambda p: p.write_bytes(b""), "damaged"),
    (lambda p: p.write_bytes(pickle.dumps(Evil())), r"torch\.save"),
    (lambda p: torch.save({"x": Evil()}, p), "refused.*Nothing was run"), (lambda p: None, "no file"),
])  # fmt: skip
def test_damaged_foreign_and_hostile_files(tmp_path, make, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vgg.pth"
    make(path)
    with pytest.raises(AssetError, match=message):
        Vgg16Features.load(path)
    assert not (tmp_path / "ran-by-a-pickle").exists()


def test_objects_of_training_tools_are_passed_over_and_others_are_not(tmp_path):
    """What ``omegaconf`` or ``argparse`` left in a checkpoint is neither made nor looked up."""
    import argparse

    words = {"hyper_parameters": argparse.Namespace(rate=1.0), "state_dict": {"a": torch.ones(2)}}
    torch.save(words, tmp_path / "a.ckpt")
    assert read_state(tmp_path / "a.ckpt", entry="state_dict")["a"].tolist() == [1, 1]
    torch.save({"x": pickle.PickleBuffer, "state_dict": {"a": torch.ones(2)}}, tmp_path / "b.ckpt")
    with pytest.raises(AssetError, match="state_dict"):
        read_state(tmp_path / "b.ckpt", entry="state_dict")


def test_safetensors_will_do_too(tmp_path):
    from smirk_core.encoder.safetensors_file import to_safetensors

    vgg = randomised(Vgg16Features())
    (tmp_path / "v.safetensors").write_bytes(to_safetensors({n: v.numpy() for n, v in vgg.state_dict().items()}, {}))
    loaded = Vgg16Features.load(tmp_path / "v.safetensors")
    torch.testing.assert_close(loaded.state_dict(), vgg.state_dict())


def test_unexpected_tensors_are_named():
    module = torch.nn.Linear(1, 1)
    with pytest.raises(AssetError, match="such as extra"):
        fill(module, {"weight": np.zeros((1, 1)), "bias": np.zeros(1), "extra": np.zeros(1)}, "x")


def test_the_recogniser_is_a_hundred_layers():
    with torch.device("meta"):
        network = ArcFace()
    assert sum(isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) for m in network.modules()) == 1 + 2 * 49
