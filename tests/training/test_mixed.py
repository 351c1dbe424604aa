# SPDX-License-Identifier: Apache-2.0
"""Photos and made faces in one batch, and what others' networks add to training."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from smirk_core.errors import AssetError, TrainingError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.auxiliary.vgg import Vgg16Features  # noqa: E402
from smirk_core.neural.face_model import Mesh  # noqa: E402
from smirk_core.neural.paths import Analysis, Batch, Paths  # noqa: E402
from training.build import build_paths, encoder_picture_losses, picture_losses  # noqa: E402
from training.config import Config, Losses, Model  # noqa: E402
from training.data.mixed import joined  # noqa: E402
from training.data.source import Request, open_source  # noqa: E402

PLAIN = {"source": "plain"}


def part(count: int, *, photo: bool) -> Batch:
    image = torch.full((count, 3, 8, 8), float(photo))
    hull = torch.ones(count, 1, 8, 8, dtype=torch.bool)
    landmarks = {"mediapipe_105": torch.rand(count, 105, 2)}
    if photo:
        fan = {"ibug_68": torch.rand(count, 68, 2)}
        return Batch(image, hull, landmarks | fan, {"ibug_68": torch.full((count, 68), 0.5)}, {})
    return Batch(image, hull, landmarks, {}, {"jaw": torch.rand(count, 3)})


def test_what_only_some_know_is_not_trusted_for_the_others():
    photos, made = part(2, photo=True), part(3, photo=False)
    batch = joined([photos, made])
    assert len(batch) == 5 and batch.image[:, 0, 0, 0].tolist() == [1, 1, 0, 0, 0]
    assert batch.trust["mediapipe_105"].tolist() == [1] * 5
    assert batch.trust["ibug_68"].shape == (5, 68) and batch.trust["ibug_68"].mean(1).tolist() == [0.5, 0.5, 0, 0, 0]
    assert batch.trust["truth_jaw"].tolist() == [0, 0, 1, 1, 1]
    torch.testing.assert_close(batch.truth["jaw"][2:], made.truth["jaw"])
    torch.testing.assert_close(batch.landmarks["ibug_68"][:2], photos.landmarks["ibug_68"])


def test_the_truth_of_photos_teaches_nothing():
    """The loss of a joined batch is the loss of the faces whose truth is known, and its gradient goes to them alone."""
    photos, made = part(2, photo=True), part(3, photo=False)
    batch = joined([photos, made])
    jaw = torch.rand(5, 3, requires_grad=True)

    found = Analysis({"jaw": jaw}, Mesh(torch.zeros(5, 1, 3), {}), None)  # type: ignore[arg-type]
    loss = Paths.analysis_terms(None, batch, found)["truth_jaw"]  # type: ignore[arg-type]
    torch.testing.assert_close(loss, torch.nn.functional.mse_loss(jaw[2:], made.truth["jaw"]))
    loss.backward()
    assert jaw.grad is not None and (jaw.grad[:2] == 0).all() and (jaw.grad[2:] != 0).all()


def test_made_faces_have_no_aligned_pictures():
    photos, made = part(2, photo=True), part(3, photo=False)
    faces = torch.rand(2, 3, 112, 112)
    batch = joined([replace(photos, aligned=faces, trust={"aligned": torch.tensor([1.0, 0.0])}), made])
    assert batch.aligned is not None and batch.trust["aligned"].tolist() == [1, 0, 0, 0, 0]
    torch.testing.assert_close(batch.aligned[:2], faces)
    assert joined([photos, made]).aligned is None


def test_other_heads_do_not_mix():
    one, other = part(2, photo=False), part(2, photo=False)
    other.truth["jaw"] = torch.zeros(2, 4)  # type: ignore[index]
    with pytest.raises(TrainingError, match="different heads"):
        joined([one, other])


def test_shares_order_and_restarts():
    words = {"sources": [PLAIN | {"share": 3}, PLAIN | {"share": 1}]}
    batches = list(itertools.islice(open_source("mixed", Request(24, 8, 5), words), 2))
    again = next(open_source("mixed", Request(24, 8, 5, start=1), words))
    torch.testing.assert_close(batches[1].image, again.image)
    assert len(again) == 8 and not torch.allclose(again.truth["identity"][:2], again.truth["identity"][6:])
    alone = next(open_source("plain", Request(24, 6, 5), {}))
    torch.testing.assert_close(batches[0].truth["identity"][:6], alone.truth["identity"])


@pytest.mark.parametrize("sources, message", [
    ([], "needs sources"), ([{"source": "mixed"}], "cannot hold a mix"), ([{"source": "x"}], "no data source 'x'"),
    ([PLAIN, PLAIN | {"share": 0.01}], "no place for the share"), ([PLAIN | {"shares": 1}], "not 'shares'"),
])  # fmt: skip
def test_wrong_mixes_are_refused(sources, message):
    with pytest.raises(TrainingError, match=message):
        next(open_source("mixed", Request(24, 4), {"sources": sources}))


def test_losses_of_other_networks_are_built_from_their_files(tmp_path):
    torch.save(Vgg16Features().state_dict(), tmp_path / "vgg16.pth")
    device = torch.device("cpu")
    found = picture_losses(Losses(pictures=("structure", "vgg"), vgg=str(tmp_path / "vgg16.pth")), device, True)
    assert set(found) == {"structure", "vgg"} and found["vgg"].faithful  # type: ignore[attr-defined]
    with pytest.raises(TrainingError, match=r"losses\.vgg"):
        picture_losses(Losses(pictures=("vgg",)), device, False)
    assert encoder_picture_losses(Losses(), device) == {}
    with pytest.raises(AssetError, match="no file"):
        encoder_picture_losses(Losses(emotion=str(tmp_path / "none.ckpt")), device)


def test_training_on_the_bundled_head_borrows_its_library_and_its_regions():
    paths = build_paths(Config(model=Model(generator=4)))
    assert paths.augment is not None and len(paths.augment.library["expression"]) >= 35  # type: ignore[attr-defined]
    teeth = load_head("open").regions["teeth"][load_head("open").triangles].any(1)
    assert paths.region_weights[torch.from_numpy(teeth)].max() == 0
