# SPDX-License-Identifier: Apache-2.0
"""The whole mechanism on eight faces: it learns with the mesh in view, and does not without it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural import losses  # noqa: E402
from smirk_core.neural.alternation import Alternation  # noqa: E402
from smirk_core.neural.augmentation import ArkitAugmentation  # noqa: E402
from smirk_core.neural.face_model import FaceModel  # noqa: E402
from smirk_core.neural.generator import Generator  # noqa: E402
from smirk_core.neural.paths import Batch, Paths  # noqa: E402
from training.data.plain import plain_batch, random_groups  # noqa: E402
from training.schedules import cosine  # noqa: E402

RATE = 2e-3
SIZE, FACES, CHANGES, STEPS = 32, 8, 4, 120
PHOTO = {"photometric": 10.0, "truth_expression": 10.0, "truth_jaw": 100.0, "truth_eyelids": 1.0}
CYCLE = {"cycle_expression": 10.0, "cycle_jaw": 10.0, "cycle_eyelids": 1.0}
MOVING = ("expression", "jaw", "eyelids")


class SmallEncoder(nn.Module):
    """A small expression network; pose, camera and identity are known, as in SMIRK's core stage."""

    def __init__(self, truth: dict[str, torch.Tensor], start: dict[str, torch.Tensor]) -> None:
        super().__init__()

        def stage(inside: int, outside: int) -> list[nn.Module]:
            return [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]

        self.sizes = [start[k].shape[-1] for k in MOVING]
        self.body = nn.Sequential(*stage(3, 16), *stage(16, 32), *stage(32, 32), nn.Flatten())
        self.last = nn.Linear(32 * (SIZE // 8) ** 2, sum(self.sizes))
        # It begins with the mean of what it will be asked for: it cannot get better without looking.
        nn.init.zeros_(self.last.weight)
        self.last.bias.data.copy_(torch.cat([start[k] for k in MOVING]))
        self.known = {"pose_params": truth["rotation"], "cam": truth["camera"], "shape_params": truth["identity"]}

    def forward(self, x):
        expression, jaw, lids = self.last(self.body(x)).split(self.sizes, dim=1)
        return self.known | {"expression_params": expression, "jaw_params": jaw, "eyelid_params": lids}


class Rehearsal:
    """The same few expressions for all faces, in turn: neither a face nor its surroundings tell which one it wears."""

    def __init__(self, head) -> None:
        rest = {"expression": torch.zeros(4 * CHANGES, head.expression_size), "jaw": torch.zeros(4 * CHANGES, 3)}
        drawn = ArkitAugmentation.of(head)(
            rest | {"eyelids": torch.zeros(4 * CHANGES, 2)}, torch.Generator().manual_seed(3)
        )
        loudest = (drawn["expression"].square().sum(1) + 20 * drawn["jaw"].square().sum(1)).topk(CHANGES).indices
        self.library = {k: drawn[k][loudest] for k in MOVING}
        self.turn = 0

    def __call__(self, groups, generator=None):
        chosen = (torch.arange(len(groups["jaw"])) + self.turn // 2) % CHANGES  # the generator's turn and the encoder's
        self.turn += 1
        return {k: v.detach().clone() for k, v in groups.items()} | {k: v[chosen] for k, v in self.library.items()}


@torch.no_grad()
def measure(paths: Paths, batch: Batch) -> tuple[float, float]:
    """(reconstruction, cycle) losses with fixed dice; batch statistics of the moment, and nothing is changed by it."""
    before = {k: v.clone() for k, v in paths.state_dict().items()}
    dice = torch.Generator().manual_seed(9)
    found, made = paths.reconstruct(batch, dice)
    photo = (made.image - batch.image).abs().mean().item()
    turn, total = paths.augment.turn, 0.0
    for change in range(CHANGES):
        paths.augment.turn = 2 * change
        changed, made, _ = paths.cycle(batch, found, train_generator=True, generator=dice)
        terms = losses.cycle_loss(paths.encode(made.image), changed.groups, identity=False)
        total += losses.total(terms, CYCLE).item() / CHANGES
    paths.augment.turn = turn
    paths.load_state_dict(before)
    return photo, total


def overfit(*, blind: bool) -> tuple[float, float]:
    """What share of the (reconstruction, cycle) loss is left after the steps."""
    torch.manual_seed(0)
    head = load_head()
    face = FaceModel(head, SIZE, landmarks=("mediapipe_478",))
    rehearsal, dice = Rehearsal(head), torch.Generator().manual_seed(0)
    truth = random_groups(head, FACES, dice)
    truth = rehearsal(truth | {"identity": truth["identity"][:, :4], "rotation": 0.3 * truth["rotation"]})
    batch = plain_batch(face, FACES, dice, groups=truth)
    generator = Generator(width=8, residual_blocks=1)
    # One carried pixel and a wide border: where pixels land and what is blanked out would tell a blind generator.
    weights = torch.ones(len(head.triangles))
    encoder = SmallEncoder(truth, {k: v.mean(0) for k, v in rehearsal.library.items()})
    paths = Paths(encoder, generator, face, weights, rehearsal, mask_ratio=1 / SIZE**2, dilation=6).train()
    skin = torch.from_numpy(head.regions["face"][head.triangles].all(1))
    paths.triangles, paths.region_weights = paths.triangles[skin], paths.region_weights[skin]  # half of the time
    if blind:
        seeing = generator.forward
        generator.forward = lambda render, masked: seeing(torch.zeros_like(render), masked)
    learn = Alternation(
        paths,
        torch.optim.Adam(encoder.parameters(), RATE),
        torch.optim.Adam(generator.parameters(), 4e-3, betas=(0.5, 0.999)),
        PHOTO | CYCLE,
        random=torch.Generator().manual_seed(1),
        clip=1.0,
    )
    before = measure(paths, batch)
    rates = [group["lr"] for o in (learn.encoder_optimiser, learn.generator_optimiser) for group in o.param_groups]
    for step in range(STEPS):
        for o, rate in zip((learn.encoder_optimiser, learn.generator_optimiser), rates, strict=True):
            o.param_groups[0]["lr"] = rate * cosine(step, STEPS, 0.02)
        learn(batch, step)
    after = measure(paths, batch)
    return after[0] / before[0], after[1] / before[1]


def test_eight_faces_are_learned_in_both_paths():
    photo, cycle = overfit(blind=False)
    assert photo < 0.4 and cycle < 0.5, (photo, cycle)


def test_a_generator_that_does_not_see_the_mesh_teaches_nothing_about_expressions():
    """It still copies surroundings and paints the mean face, so the photo alone would not show it; the cycle does."""
    _, cycle = overfit(blind=True)
    assert cycle > 0.9, cycle
