# SPDX-License-Identifier: Apache-2.0
"""The bundled encoder: the bank, the form of answers, covers, both networks, resuming, calibration, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.encoder.checkpoint import load_weights  # noqa: E402
from smirk_core.encoder.extras import REGIONS  # noqa: E402
from smirk_core.encoder.runtime import load_encoder, make_encoder  # noqa: E402
from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.decode import decode  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.mesh_render import project_crop  # noqa: E402
from smirk_core.neural.torch_head import torch_head  # noqa: E402
from training.bundled import calibrate, export, objective  # noqa: E402
from training.bundled.answers import Answers  # noqa: E402
from training.bundled.beside import encoder_share  # noqa: E402
from training.bundled.networks import Student, Teacher  # noqa: E402
from training.bundled.train import load_network, read_state, train  # noqa: E402
from training.bundled.views import Views, cover  # noqa: E402
from training.data.bank import TRUTH, Bank, write_bank  # noqa: E402
from training.data.dice import Dice  # noqa: E402
from training.data.mirror import Mirror  # noqa: E402


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def answers(head):
    return Answers(head)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    assert write_bank("synthetic", folder, 64, size=32) == 64
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A teacher that was taught for a moment."""
    run = tmp_path_factory.mktemp("teacher")
    train("teacher", run, folder, minutes=0.02, held_out=folder, batch=16)
    return run


def test_a_bank_is_drawn_once(folder):
    assert write_bank("synthetic", folder, 64, size=32) == 0
    bank = Bank.open(folder)
    assert len(bank) == 64 and bank.size == 32 and bank.sources == ("synthetic",)
    rows = np.array([63, 0, 5])
    pictures = bank.images(rows)
    for picture, row in zip(pictures, rows, strict=True):
        np.testing.assert_array_equal(picture.numpy(), bank.pictures[0][row])
    assert set(bank.groups(rows)) == set(TRUTH)
    assert pictures.float().std() > 10


def test_a_damaged_or_empty_bank_says_so(tmp_path, folder):
    with pytest.raises(TrainingError, match="no faces"):
        Bank.open(tmp_path)
    for path in folder.glob("synthetic*"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 100 if path.suffix == ".npy" else None])
    with pytest.raises(TrainingError, match="no whole shard"):
        Bank.open(tmp_path)


def test_truth_is_where_the_whole_head_puts_its_points(head, answers, folder):
    bank = Bank.open(folder)
    groups = bank.groups(np.arange(4))
    row, places = answers.truth(groups)
    whole = project_crop(decode(torch_head(head), groups).vertices, groups["camera"])[:, answers.points, :2]
    torch.testing.assert_close(places, whole, atol=1e-5, rtol=0)
    answer = torch.zeros(4, answers.size)
    answer[:, : row.shape[1]] = row
    back = answers.groups(answer)
    for name in ("expression", "jaw", "eyes", "rotation", "camera"):
        torch.testing.assert_close(back[name], groups[name], atol=1e-5, rtol=1e-5)


def test_mirrored_views_have_mirrored_points(head, answers, folder):
    bank = Bank.open(folder)
    views = Views(answers, head, covers=0)
    groups = bank.groups(np.arange(8))
    mirrored = views.mirror.truth(groups)
    _, places = answers.truth(groups)
    _, other = answers.truth(mirrored)
    at = head.template[answers.points] * [-1, 1, 1]
    apart = np.linalg.norm(at[:, None] - head.template[answers.points][None], axis=-1)
    pairs = np.flatnonzero(apart.min(1) < 1e-4)  # points whose mirror image is a point as well
    partner = torch.as_tensor(apart.argmin(1)[pairs])
    assert len(pairs) > 20
    torch.testing.assert_close(other[:, partner], places[:, pairs] * torch.tensor([-1.0, 1.0]), atol=3e-3, rtol=0)


def test_covers_hide_what_they_say(answers):
    image = torch.rand(64, 3, 32, 32)
    places = torch.rand(64, 20, 2) - 0.5
    shown, mask = cover(image, places, Dice(0), 0.5)
    hit = mask.amax((1, 2, 3)) > 0.5
    assert 10 < hit.sum() < 54
    torch.testing.assert_close(shown[~hit], image[~hit])
    assert ((shown - image).abs().amax(1, keepdim=True)[mask == 0] == 0).all()
    assert (shown - image)[hit].abs().mean() > 0.004


def test_a_perfect_answer_has_no_error(answers, folder, head):
    bank = Bank.open(folder)
    view = Views(answers, head)(bank.images(np.arange(8)), bank.groups(np.arange(8)), Dice(1), plain=True)
    answer = torch.zeros(8, answers.size)
    answer[:, : view.groups.shape[1]] = view.groups
    points = answers.parts["points"].columns
    answer[:, points] = (view.places.reshape(8, -1) - answers.mean[points]) / answers.scale[points]
    named = objective.losses(answers, answer, view)
    for name in ("face", "motion", "rotation", "camera", "identity"):
        assert named[name] < 1e-9, name
    worse = objective.losses(answers, answer + 0.1, view)
    assert all(worse[n] > named[n] for n in ("face", "motion", "rotation", "camera", "identity", "points"))


@pytest.mark.parametrize("kind", [Teacher, Student])
def test_networks_learn_a_batch(kind, answers, folder, head):
    torch.manual_seed(0)
    bank = Bank.open(folder)
    view = Views(answers, head)(bank.images(np.arange(16)), bank.groups(np.arange(16)), Dice(1), plain=True)
    network = kind(answers, 32) if kind is Teacher else kind(answers)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    first = last = 0.0
    for step in range(25):
        loss = objective.total(objective.losses(answers, network(view.image), view))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        first, last = (float(loss.detach()), last) if step == 0 else (first, float(loss.detach()))
    assert last < first - 0.5


def test_a_run_goes_on_where_it_stopped(run, folder, tmp_path):
    state = read_state(run)
    assert state is not None and state["step"] > 0
    (tmp_path / "state.pt").write_bytes((run / "state.pt").read_bytes())
    train("teacher", tmp_path, folder, minutes=state["spent"] / 60 + 0.01, batch=16)
    more = read_state(tmp_path)
    assert more["step"] > state["step"] and more["spent"] > state["spent"]
    (tmp_path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="cannot be read"):
        train("teacher", tmp_path, folder, minutes=1)


def test_the_teacher_as_a_file_gives_the_same_numbers(run, folder, answers, tmp_path):
    pytest.importorskip("onnxruntime")
    found = calibrate.calibrate(load_network(run, answers), answers, Bank.open(folder))
    report = export.export(run, tmp_path, found)
    assert report["difference_to_torch"]["encoder.onnx"] < 0.01
    encoder = load_encoder(tmp_path / "encoder.onnx", head=answers.model)
    assert encoder.vertices == tuple(answers.points) and encoder.size.n_exp == answers.model.expression_size
    out = encoder.encode(np.zeros((1, 224, 224, 3), np.uint8))
    assert (out["sigma_params"] > 0).all()


def test_a_face_and_its_mirror_image_are_answered_alike(folder, answers, head, tmp_path):
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = Teacher(answers, 32)
    crops = Bank.open(folder).images(np.arange(6))
    with torch.no_grad():  # a network that says something: features of usual size, and weights to them
        for _ in range(40):
            network(crops / 255)
        network.head.weight.mul_(30)
    network.eval()
    words = {"kind": "smirk-encoder-1", "head": "open-1", "points": ",".join(map(str, answers.points)), "crop": "1.2"}
    data = export.teacher_graph(network, answers, 32, words, calibrate.Calibration.none(answers))
    (tmp_path / "encoder.onnx").write_bytes(data)
    encoder = load_encoder(tmp_path / "encoder.onnx", head=head)
    assert encoder.crop_scale == 1.2
    crops = crops.permute(0, 2, 3, 1).numpy().repeat(7, 1).repeat(7, 2)
    out, other = encoder.encode(crops), encoder.encode(np.ascontiguousarray(crops[:, :, ::-1]))
    names = {
        "expression": "expression_params", "jaw": "jaw_params", "eyes": "gaze_params", "rotation": "pose_params",
        "eyelids": "eyelid_params", "camera": "cam", "identity": "shape_params",
    }  # fmt: skip
    turned = Mirror.of(head).truth({g: torch.from_numpy(other[n]) for g, n in names.items()})
    for group, name in names.items():
        np.testing.assert_allclose(out[name], turned[group], atol=2e-4, err_msg=group)
        assert group in ("eyelids",) or np.abs(out[name] - other[name]).max() > 1e-4, group
    order = [REGIONS.index(n) for n in ("brows", "right eye", "left eye", "nose", "mouth", "jaw")]
    np.testing.assert_allclose(out["region_visibility"], other["region_visibility"][:, order], atol=2e-4)
    # The mean of both, not the answer to one of them.
    alone = answers.groups(network(torch.from_numpy(crops[:, ::7, ::7]).permute(0, 3, 1, 2).float() / 255).detach())
    assert np.abs(out["pose_params"] - alone["rotation"].numpy()).max() > 1e-3


def test_the_student_is_a_checkpoint_of_smirks(answers, tmp_path):
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = Student(answers).eval()
    weights = export.student_weights(network, answers, 112, "open-1", calibrate.Calibration.none(answers))
    (tmp_path / "e.safetensors").write_bytes(weights.to_safetensors())
    encoder = make_encoder(load_weights(tmp_path / "e.safetensors"), "cpu")
    crops = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), np.uint8).repeat(2, 1).repeat(2, 2)
    out = encoder.encode(crops)
    with torch.no_grad():
        answer = network(torch.from_numpy(crops[:, ::2, ::2]).permute(0, 3, 1, 2).float() / 255)
    groups = answers.groups(answer)
    np.testing.assert_allclose(out["expression_params"], groups["expression"], atol=1e-4)
    np.testing.assert_allclose(out["cam"], groups["camera"], atol=1e-3)
    np.testing.assert_allclose(out["points"].reshape(2, -1, 2), answers.places(answer), atol=1e-4)


def test_calibration_stretches_what_is_seen_and_cuts_what_is_not_there(answers, folder):
    class Shy(torch.nn.Module):
        """Says half of the truth and a little of everything."""

        def forward(self, image):
            rows = Bank.open(folder)
            row, _ = answers.truth(rows.groups(np.arange(len(rows))))
            out = torch.zeros(len(row), answers.size)
            face = answers.parts["eyes"].stop
            out[:, : row.shape[1]] = row
            out[:, :face] = 0.6 * row[:, :face] + 0.1
            return out

    found = calibrate.calibrate(Shy(), answers, Bank.open(folder))
    assert np.median(found.gain["expression"]) > 1.3 and found.gain["expression"].max() <= 1.4
    assert (found.rest["expression"] >= 0).all() and found.rest["expression"].mean() > 0.01


def test_the_share_of_two_witnesses_is_the_best_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(400, 3))
    good, bad = truth + 0.1 * rng.normal(size=truth.shape), truth + 0.5 * rng.normal(size=truth.shape)
    share = encoder_share(good, bad, truth)
    assert (share > 0.9).all() and (encoder_share(bad, good, truth) < 0.1).all()
    alike = truth + 0.3 * rng.normal(size=truth.shape)
    share = encoder_share(alike, bad, truth)
    for other in (share - 0.05, share + 0.05):  # no other share comes nearer
        best, worse = (np.square(bad + w * (alike - bad) - truth).sum() for w in (share, other))
        assert best < worse


def test_an_encoder_that_sees_more_than_landmarks_counts_for_more(answers, tmp_path):
    pytest.importorskip("mediapipe.python.solutions")  # gone from later releases
    from training.bundled.beside import beside_landmarks

    write_bank("synthetic", tmp_path, 72, size=224, options={"crop": [1.6, 1.8]})
    bank = Bank.open(tmp_path)
    truth = answers.truth(bank.groups(np.arange(len(bank))))[0]

    class Knows(torch.nn.Module):
        """Says the truth, with an error of ``amount`` units."""

        amount = 0.0
        seen = 0

        def forward(self, image):
            rows = torch.arange(self.seen, self.seen + len(image))
            self.seen += len(image)
            out = torch.zeros(len(image), answers.size)
            out[:, : truth.shape[1]] = truth[rows] + self.amount * torch.randn(truth[rows].shape)
            return out

    typical = {}
    for amount in (0.0, 3.0):
        network = Knows()
        network.amount = amount
        plain = calibrate.Calibration.none(answers)
        plain = replace(plain, typical={n: np.zeros_like(v) for n, v in plain.gain.items()})
        found = beside_landmarks(network, answers, bank, 112, plain, 1.1)
        assert (found.typical["jaw"][2], found.rest) == (0.0, plain.rest)  # landmarks say nothing of a rolling jaw
        typical[amount] = found.typical
    for name in ("expression", "eyelids", "eyes"):
        assert typical[3.0][name].mean() - typical[0.0][name].mean() > 1.5, name
