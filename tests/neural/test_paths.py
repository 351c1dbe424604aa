# SPDX-License-Identifier: Apache-2.0
"""The two paths: who learns in which pass, what must not move, and that learning works at all."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural import losses  # noqa: E402
from smirk_core.neural.alternation import Alternation  # noqa: E402
from smirk_core.neural.augmentation import ArkitAugmentation  # noqa: E402
from smirk_core.neural.face_model import FaceModel, bounded  # noqa: E402
from smirk_core.neural.generator import Generator  # noqa: E402
from smirk_core.neural.masking import hull_mask  # noqa: E402
from smirk_core.neural.paths import Batch, Paths, frozen  # noqa: E402

SIZE = 48
LOSSES = {"landmarks_mediapipe_478": 10.0, "photometric": 10.0, "expression_regulariser": 1e-3}
CYCLE = {"cycle_expression": 1.0, "cycle_jaw": 1.0, "cycle_eyelids": 1.0, "cycle_identity": 1.0}


class Branch(nn.Module):
    """A small stand-in for one MobileNet, with batch norm as it has."""

    def __init__(self, rows: int, camera: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
        self.head = nn.LazyLinear(rows)
        self.camera = camera

    def forward(self, x):
        return self.head(self.features(x)) * 0.05


class SmallEncoder(nn.Module):
    def __init__(self, head) -> None:
        super().__init__()
        self.pose_encoder, self.shape_encoder = Branch(6), Branch(4)
        self.expression_encoder = Branch(head.expression_size + 5)
        self.register_buffer("start", torch.tensor([[7.0, 0.0, -0.02]]))

    def forward(self, x):
        pose, rest = self.pose_encoder(x), self.expression_encoder(x)
        return {
            "pose_params": pose[:, :3],
            "cam": self.start + pose[:, 3:],
            "shape_params": self.shape_encoder(x),
            "expression_params": rest[:, :-5] + 0.1,
            "eyelid_params": rest[:, -5:-3].clamp(0, 1),
            "jaw_params": torch.cat([rest[:, -3:-2].relu(), rest[:, -2:].clamp(-0.2, 0.2)], 1),
        }


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def batch(head) -> Batch:
    """Grey renders of known expressions on a coloured ground, landmarks included."""
    torch.manual_seed(0)
    face = FaceModel(head, SIZE, landmarks=("mediapipe_478",))
    groups = {
        "expression": torch.rand(8, head.expression_size) * (torch.rand(8, head.expression_size) < 0.2),
        "eyelids": torch.rand(8, 2),
        "jaw": torch.tensor([[0.15, 0.0, 0.0]]) * torch.rand(8, 1),
        "rotation": 0.2 * torch.randn(8, 3),
        "identity": torch.randn(8, 4),
        "camera": torch.tensor([[7.0, 0.0, -0.02]]).expand(8, -1),
    }
    mesh = face.mesh(groups)
    image = face.render(mesh, groups["camera"]).image
    skin = torch.rand(8, 3, 1, 1) * 0.6 + 0.6
    image = torch.where(image > 0, image * skin, torch.rand(8, 3, 1, 1).expand_as(image))
    landmarks = mesh.landmarks["mediapipe_478"]
    return Batch(image, hull_mask((landmarks + 1) * SIZE / 2, SIZE, SIZE), {"mediapipe_478": landmarks})


def make(head, *, trained=("pose_encoder", "shape_encoder", "expression_encoder"), faithful=False, width=4) -> Paths:
    torch.manual_seed(1)
    face = FaceModel(head, SIZE, landmarks=("mediapipe_478",))
    encoder = SmallEncoder(head)
    encoder(torch.zeros(2, 3, SIZE, SIZE))  # sizes the lazy layers
    weights = torch.ones(len(head.triangles))
    paths = Paths(
        encoder, Generator(width=width, residual_blocks=1), face, weights, ArkitAugmentation.of(head),
        trained=trained, mask_ratio=0.05, faithful=faithful, dilation=3,
    )  # fmt: skip
    return paths.train()


def trainer(paths, **weights) -> Alternation:
    encoder = [p for p in paths.encoder.parameters() if p.requires_grad]
    return Alternation(
        paths,
        torch.optim.Adam(encoder, 1e-3),
        torch.optim.Adam(paths.generator.parameters(), 2e-3, betas=(0.5, 0.999)),
        weights or LOSSES | CYCLE,
        random=torch.Generator().manual_seed(0),
    )


def snapshot(module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def changed(module, before) -> set[str]:
    return {k for k, v in module.state_dict().items() if not torch.equal(v, before[k])}


def test_first_path_teaches_both(head, batch):
    paths = make(head)
    encoder, generator = snapshot(paths.encoder), snapshot(paths.generator)
    result = trainer(paths, **LOSSES)(batch, 0)
    assert {"photometric", "landmarks_mediapipe_478", "expression_regulariser"} <= set(result.terms)
    assert result.changed is None
    parts = {k.split(".")[0] for k in changed(paths.encoder, encoder)}
    assert parts == {"pose_encoder", "shape_encoder", "expression_encoder"}
    assert any("weight" in k for k in changed(paths.generator, generator))


def test_the_photo_teaches_expressions_through_the_shading(head, batch):
    """With the photometric loss alone gradients reach the encoder only through the render."""
    paths = make(head)
    found, made = paths.reconstruct(batch)
    assert found.rendered.image.requires_grad and not made.masked.requires_grad
    (made.image - batch.image).abs().mean().backward()
    grads = [p.grad for p in paths.encoder.expression_encoder.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in grads)


@pytest.mark.parametrize("step", [0, 1])
def test_the_cycle_path_teaches_one_and_leaves_the_other(head, batch, step):
    """Even: the generator alone; odd: the encoder alone; the other not even in its batch statistics."""
    paths = make(head)
    learn = trainer(paths, **CYCLE)
    learn(batch, step)  # first path has no weighted term: nothing is learned there
    encoder, generator = snapshot(paths.encoder), snapshot(paths.generator)
    with torch.no_grad():
        found = paths.eval().analyse(batch.image)
    paths.train()
    changed_faces, made, again = paths.cycle(batch, found, train_generator=step == 0)
    terms = losses.cycle_loss(again, changed_faces.groups, identity=step == 0)
    assert ("cycle_identity" in terms) == (step == 0)
    assert learn._learn(terms, [learn.generator_optimiser if step == 0 else learn.encoder_optimiser])
    if step == 0:
        assert changed(paths.encoder, encoder) == set()
        assert any(k.endswith("weight") for k in changed(paths.generator, generator))
    else:
        assert changed(paths.generator, generator) == set() and not made.image.requires_grad
        assert any(k.startswith("expression_encoder") for k in changed(paths.encoder, encoder))
    assert paths.encoder.training and paths.generator.training
    assert all(p.requires_grad for p in paths.parameters())


def test_frozen_branches_stay_to_the_last_statistic(head, batch):
    paths = make(head, trained=("expression_encoder",))
    before = snapshot(paths.encoder)
    learn = trainer(paths)
    for step in range(2):
        learn(batch, step)
    assert {k.split(".")[0] for k in changed(paths.encoder, before)} == {"expression_encoder"}


def test_the_original_lets_frozen_statistics_drift(head, batch):
    paths = make(head, trained=("expression_encoder",), faithful=True)
    before = snapshot(paths.encoder)
    trainer(paths)(batch, 0)
    drifted = {k for k in changed(paths.encoder, before) if not k.startswith("expression_encoder")}
    assert drifted and all("running" in k or "batches" in k for k in drifted)


def test_targets_of_the_cycle_carry_no_gradient(head, batch):
    paths = make(head)
    found, _ = paths.reconstruct(batch)
    faces = paths.change(found)
    assert not any(v.requires_grad for v in faces.groups.values()) and not faces.rendered.image.requires_grad
    for name in ("identity", "rotation", "camera"):
        assert torch.equal(faces.groups[name], found.groups[name])


def test_hidden_skin_is_left_out_unless_faithful(head, batch):
    """A head turned by a radian hides a cheek: the original carries its pixels all the same."""
    counts = {}
    for faithful in (False, True):
        paths = make(head, faithful=faithful)
        found = paths.eval().analyse(batch.image)
        groups = dict(found.groups) | {"rotation": found.groups["rotation"] + torch.tensor([0.0, 1.0, 0.0])}
        mesh = paths.face.mesh(groups)
        turned = type(found)(groups, mesh, paths.face.render(mesh, groups["camera"]))
        empty = Batch(batch.image, torch.ones_like(batch.hull), {})
        masked = paths.mask(empty, found, turned, holes=0.0, generator=torch.Generator().manual_seed(0))
        drawn = turned.rendered.mask & (masked.amax(1, keepdim=True) > 0)
        counts[faithful] = int(drawn.sum())
    assert 0 < counts[False] < 0.95 * counts[True]


def test_not_a_number_teaches_nothing(head, batch):
    paths = make(head)
    learn = trainer(paths)
    bad = Batch(batch.image, batch.hull, {"mediapipe_478": batch.landmarks["mediapipe_478"] * float("nan")})
    weights = {k: v.clone() for k, v in paths.named_parameters()}
    assert "reconstruction" in learn(bad, 1).skipped
    moved = {k for k, v in paths.named_parameters() if not torch.equal(v, weights[k])}
    assert not any(k.startswith("generator") for k in moved)
    assert all(torch.isfinite(p).all() for p in paths.parameters())


def test_frozen_lets_gradients_pass_and_gives_everything_back(head):
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    module[0].bias.requires_grad_(False)
    module[1].eval()
    x = torch.randn(4, 3, requires_grad=True)
    with frozen(module):
        module(x).sum().backward()
    assert x.grad is not None and module[0].weight.grad is None
    assert module[0].training and not module[1].training
    assert module[0].weight.requires_grad and not module[0].bias.requires_grad


def test_bounded_lets_go_of_its_edge():
    x = torch.tensor([-0.5, 0.5, 1.5], requires_grad=True)
    y = bounded(x, 0, 1)
    assert y.tolist() == [0, 0.5, 1]
    (-y).sum().backward()  # wants larger values: 1.5 is stuck, -0.5 may come back
    assert x.grad.tolist() == [-1, -1, 0]
