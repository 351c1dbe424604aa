# SPDX-License-Identifier: Apache-2.0
"""Expression augmentation: groups, bounds, statistics, asymmetry, what must stay."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.augmentation import (  # noqa: E402
    ArkitAugmentation,
    FlameAugmentation,
    mirror_pairs,
    quarters,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flame_batch(count: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "identity": torch.randn(count, 300),
        "expression": torch.randn(count, 50, requires_grad=True),
        "jaw": torch.rand(count, 3) * 0.1,
        "eyelids": torch.rand(count, 2),
        "rotation": torch.randn(count, 3),
        "camera": torch.randn(count, 3),
    }


@pytest.mark.parametrize("count", [0, 1, 3, 8, 32, 33])
def test_quarters_share_the_batch(count):
    parts = quarters(count, seeded())
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("kind", ["flame", "arkit"])
def test_what_is_not_expression_stays_and_nothing_carries_gradient(kind):
    batch = flame_batch(32)
    if kind == "arkit":
        head = load_head()
        batch["expression"] = torch.rand(32, head.expression_size, requires_grad=True)
        augment = ArkitAugmentation.of(head)
    else:
        augment = FlameAugmentation()
    before = {k: v.detach().clone() for k, v in batch.items()}
    out = augment(batch, seeded())
    for name, values in out.items():
        assert not values.requires_grad
        assert torch.equal(batch[name].detach(), before[name]), "the batch itself is left alone"
        same = torch.equal(values, before[name])
        assert same == (name not in ("expression", "jaw", "eyelids")), name
    again, other = augment(batch, seeded()), augment(batch, seeded(1))
    assert torch.equal(out["expression"], again["expression"])
    assert not torch.equal(out["expression"], other["expression"])


def test_flame_groups_have_the_stated_statistics():
    count = 4000
    batch = flame_batch(count)
    templates = torch.full((3, 60), 10.0)
    out = FlameAugmentation(templates)(batch, seeded(5))
    random, borrowed, library, none = quarters(count, seeded(5))
    e, new = batch["expression"].detach(), out["expression"]
    # none: U(0, 0.2) n has a standard deviation of 0.2 / sqrt(3)
    assert abs(float(new[none].std()) - 0.2 / 3**0.5) < 0.005 and abs(float(new[none].mean())) < 0.005
    assert (out["jaw"][none] == 0).all()
    lids = out["eyelids"][none]
    assert abs(float(lids.mean()) - 0.5) < 0.03 and lids.min() >= 0 and lids.max() <= 1
    # library: U(0.25, 1.5) of a template that is 10 everywhere
    gain = new[library].mean(1) / 10
    assert 0.2 < gain.min() < 0.3 and 1.45 < gain.max() < 1.55 and abs(float(gain.mean()) - 0.875) < 0.03
    # random: half of the components are left but for the tremor, the others move by U(1, 3) n within 4
    change = new[random] - e[random]
    assert abs(float((change.abs() < 0.35).float().mean()) - 0.6) < 0.08
    assert new[random].abs().max() < 4 + 1.2 and change.abs().max() > 2.5
    # borrowed: along somebody else's expression
    unit = torch.nn.functional.normalize
    match = (unit(new[borrowed], dim=1) @ unit(e[borrowed], dim=1).T).amax(1)
    assert float((match > 0.85).float().mean()) > 0.9
    assert (out["jaw"][:, 0] >= 0).all() and (out["jaw"][:, 0] <= 0.5).all()
    moved = (out["jaw"][:, 1] != batch["jaw"][:, 1])[torch.cat([random, borrowed, library])]
    assert abs(float(moved.float().mean()) - 0.5) < 0.04


def test_without_a_library_others_lend():
    batch = flame_batch(400)
    out = FlameAugmentation()(batch, seeded(2))
    _, borrowed, library, _ = quarters(400, seeded(2))
    unit = torch.nn.functional.normalize
    lenders = unit(batch["expression"].detach()[torch.cat([borrowed, library])], dim=1)
    match = (unit(out["expression"][library], dim=1) @ lenders.T).amax(1)
    assert float((match > 0.85).float().mean()) > 0.9


def test_mirror_pairs_go_there_and_back():
    names = load_head().expression_names
    pairs = mirror_pairs(names)
    assert [pairs[p] for p in pairs] == list(range(len(names)))
    for name, other in zip(names, pairs, strict=True):
        swapped = name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
        assert names[other] == (swapped if swapped in names else name)


def test_named_weights_stay_in_bounds_and_reach_them():
    head = load_head()
    count = 3000
    batch = {
        "expression": torch.rand(count, head.expression_size) * 0.5,
        "jaw": torch.zeros(count, 3),
        "eyelids": torch.rand(count, 2),
    }
    library = {
        "expression": torch.eye(head.expression_size)[:5],
        "jaw": torch.tensor([[0.2, 0.0, 0.0]]).expand(5, -1),
        "eyelids": torch.zeros(5, 2),
    }
    out = ArkitAugmentation.of(head, library)(batch, seeded(3))
    random, _, chosen, none = quarters(count, seeded(3))
    for name, low, high in (("expression", 0, 1), ("eyelids", 0, 1)):
        assert out[name].min() >= low and out[name].max() <= high
    assert float((out["expression"][random] > 0.8).float().mean()) > 0.05, "extremes are sampled"
    assert out["expression"][none].max() < 0.4 and (out["jaw"][none] == 0).all()
    assert (out["expression"][chosen].amax(1) > 0.2).float().mean() > 0.95
    left, right = (head.expression_names.index(f"mouthSmile{s}") for s in ("Left", "Right"))
    gap = (out["expression"][random][:, left] - out["expression"][random][:, right]).abs()
    assert 0.05 < float((gap > 0.5).float().mean()) < 0.5, "often on one side only"
    wink = (out["eyelids"][:, 0] - out["eyelids"][:, 1]).abs()
    assert float((wink > 0.6).float().mean()) > 0.05
    closing = head.expression_names.index("mouthClose")
    opening = out["jaw"][:, 0] / head.angles["jawOpen"]
    assert (out["expression"][:, closing] <= opening + 1e-6).all()
