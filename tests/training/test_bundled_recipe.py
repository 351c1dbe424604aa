# SPDX-License-Identifier: Apache-2.0
"""The bundled encoder by one command that is started again and again: read strictly, in slices, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("yaml")
pytest.importorskip("onnxruntime")

from smirk_core.encoder.runtime import load_encoder  # noqa: E402
from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from training.bundled import recipe, stages  # noqa: E402
from training.bundled.answers import Answers  # noqa: E402
from training.bundled.drawing import fill  # noqa: E402
from training.bundled.reader import Reader  # noqa: E402
from training.bundled.recipe_settings import STAGES, ablation, load_recipe, parse_recipe  # noqa: E402
from training.bundled.states import load_network, read_state  # noqa: E402
from training.bundled.train import train  # noqa: E402
from training.data import bank as bank_module  # noqa: E402

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training" / "configs" / "open_head"
PORTRAITS = ROOT.parent / "shared" / "faces" / "train"
DRAWN = {"synthetic": {"count": 8}}
# People who do not exist alone: needs no portraits.
ALONE = {
    "size": 32, "bank": {"draws": DRAWN}, "export": {"network": "teacher"}, "synthesis": {"minutes": 0},
    "teacher": {"faces": 8, "batch": 4, "depth": [1, 1, 1], "widths": [8, 12, 16]}, "student": {"minutes": 0},
    "calibration": {"photographs": False, "draws": DRAWN},
}  # fmt: skip


@pytest.fixture
def alone(tmp_path):
    path = tmp_path / "alone.yaml"
    path.write_text(json.dumps(ALONE), encoding="utf-8")  # which is YAML
    return [str(path), str(tmp_path / "run")]


def seen(run: Path) -> int:
    """Faces that a run has seen."""
    state = read_state(run)
    assert state is not None
    return state["seen"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder in which only the bank is done."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "alone.yaml").write_text(json.dumps(ALONE), encoding="utf-8")
    assert recipe.main([str(folder / "alone.yaml"), str(folder), "bank"]) == 0
    return folder


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_shipped_recipes_and_their_ablations_are_read(kind):
    path, leave_out = CONFIGS / f"bundled_{kind}.yaml", CONFIGS / "bundled_ablations.yaml"
    whole = load_recipe(path)
    assert whole.bank.draws["reposed"].count > whole.bank.draws["synthetic"].count > 0
    for name in ("without_reposed", "without_synthetic", "without_synthesis", "without_cycle",
                 "without_neutral_calibration", "with_synthesis"):  # fmt: skip
        changed = load_recipe(path, ablation(leave_out, name, Path("runs/whole")))
        assert changed != whole and changed.student.minutes == 0 and set(changed.taken) <= set(STAGES)
        assert all(folder == str(Path("runs/whole")) for folder in changed.taken.values())
    with pytest.raises(TrainingError, match="no ablation 'without_faces'"):
        ablation(leave_out, "without_faces", None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("teacher.widht=[1, 2, 3]", "did you mean 'widths'"),
        ("teachers.minutes=1", "did you mean 'teacher'"),
        ("teacher.minutes=long", "expected a number"),
        ("teacher.depth=deep", "expected a list"),
        ("bank.draws.reposed.count=many", "'bank.draws.reposed.count' is 'many'; expected a whole number"),
        ("bank.draws.photos={count: 3}", "'bank.draws' names 'photos'"),
        ("synthesis.cycle=1", "expected true or false"),
        ("device=tpu", "expected one of"),
        ("size=100", "multiple of 16"),
        ("taken.teachers=runs", "'taken' names 'teachers'"),
        ("teacher.batch=0", "must be more than 0"),
        ("export.network=synthesis", "has no minutes"),
    ],
)
def test_what_is_not_known_is_refused_in_a_line(line, words, alone, capsys):
    with pytest.raises(TrainingError, match="(?s)" + words.replace("[", r"\[")) as error:
        parse_recipe(ALONE, [line])
    assert "\n" not in str(error.value)
    assert recipe.main([*alone, line]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not Path(alone[1]).exists()


def test_slices_go_on_and_nothing_is_done_twice(alone, capsys, monkeypatch):
    folder = Path(alone[1])
    assert recipe.main([*alone, "teacher"]) == 2 and "needs 'bank'" in capsys.readouterr().err
    calls = [recipe.main([*alone, "--max-minutes", "1e-5"])]
    assert calls == [3] and len(list((folder / "bank").glob("*.json"))) == 1 and not (folder / "teacher").exists()
    while calls[-1] == 3 and len(calls) < 9:
        calls.append(recipe.main([*alone, "--max-minutes", "1e-5"]))
        if len(calls) == 2:
            assert seen(folder / "teacher") == 4  # a step, whatever the time
    assert calls == [3] * 5 + [0]
    notes = json.loads((folder / "recipe.json").read_text())
    assert notes["teacher"]["faces_seen"] == 8 and set(notes) == {
        "bank", "teacher", "calibration_bank", "calibration", "export"
    }  # fmt: skip
    encoder = load_encoder(folder / "files" / "encoder.onnx", "cpu", load_head())
    assert np.isfinite(encoder.encode(np.zeros((1, 224, 224, 3), np.uint8))["expression_params"]).all()

    def never(run, minutes):
        raise AssertionError("done twice")

    table = {n: stages.Stage(never, s.done, s.needs, s.quick) for n, s in stages.TABLE.items()}
    monkeypatch.setattr(recipe, "TABLE", table)
    capsys.readouterr()
    assert recipe.main(alone) == 0 and capsys.readouterr().out == "Everything is done.\n"
    with pytest.raises(AssertionError, match="done twice"):  # longer is more to do
        recipe.main([*alone, "teacher.faces=12"])
    assert recipe.main([*alone, "teacher.widths=[8, 12, 20]"]) == 2
    assert "teacher was begun with widths = [8, 12, 16]" in capsys.readouterr().err
    assert recipe.main([*alone, "teacher.faces=8", "calibration.crop_scale=1.1"]) == 0
    with pytest.raises(AssertionError, match="done twice"):  # quick stages follow their settings
        recipe.main([*alone, "calibration.crop_scale=1.2"])


def test_an_ablation_takes_what_the_whole_run_has(alone, drawn, tmp_path, capsys):
    assert recipe.main([*alone, f"taken.bank={tmp_path}"]) == 2
    assert "taken.bank: there is no" in capsys.readouterr().err
    assert recipe.main([*alone, f"taken.bank={drawn}", "calibration.use=false", "--max-minutes", "0"]) == 0
    assert sorted(p.name for p in Path(alone[1]).iterdir()) == ["files", "recipe.json", "teacher"]


def test_a_bank_in_parts_by_time(tmp_path, monkeypatch):
    monkeypatch.setattr(bank_module, "SHARD", 32)
    monkeypatch.setattr("training.bundled.drawing.SHARD", 32)
    asked: dict = {"size": 32, "seed": 3, "options": {}}
    assert not fill(tmp_path, "synthetic", 64, **asked, minutes=0)
    assert len(list(tmp_path.glob("*.json"))) == 1
    assert fill(tmp_path, "synthetic", 64, **asked) and len(list(tmp_path.glob("*.json"))) == 2


def test_reading_ahead_gives_the_same_faces(drawn):
    plain, ahead = Reader(drawn / "bank", 4, seed=5), Reader(drawn / "bank", 4, seed=5, ahead=True)
    for step in (0, 1, 2, 7):  # also where a step is skipped
        (a, truth), (b, same) = plain(step), ahead(step)
        assert torch.equal(a, b) and all(torch.equal(truth[n], same[n]) for n in truth)
    ahead.close()
    assert not torch.equal(plain(0)[0], plain(1)[0])


def test_widths_stay_with_the_run(drawn, tmp_path):
    run, bank = tmp_path / "wide", drawn / "bank"
    train("teacher", run, bank, minutes=9, faces=8, batch=4, depth=(1, 1, 1), widths=(8, 12, 20), device="cpu")
    train("teacher", run, bank, minutes=9, faces=16, batch=4)  # goes on as it was begun
    answers = Answers(load_head("open"))
    assert load_network(run, answers).widths == (8, 12, 20) and seen(run) == 16
    state = read_state(run)
    assert state is not None
    del state["widths"]
    torch.save(state, run / "state.pt")
    with pytest.raises(RuntimeError, match="size mismatch"):  # states without a word of it have the usual widths
        load_network(run, answers)
    with pytest.raises(TrainingError, match="3 stages"):
        train("teacher", tmp_path / "new", bank, minutes=1, depth=(1, 2), batch=4)
    with pytest.raises(TrainingError, match="is not there, or not in this build"):
        train("teacher", tmp_path / "new", bank, minutes=1, device="nothing" if torch.cuda.is_available() else "cuda")


@pytest.mark.skipif(not PORTRAITS.is_dir(), reason="needs ../shared/faces")
def test_from_portraits_to_both_encoders(tmp_path):
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    whole = [
        str(CONFIGS / "bundled_cpu.yaml"), str(tmp_path), f"fits.portraits={PORTRAITS}", "fits.limit=6",
        "held_out.portraits=", "bank.draws.reposed.count=16", "bank.draws.synthetic.count=0", "teacher.faces=8",
        "teacher.batch=8", "teacher.widths=[8, 8, 8]", "teacher.depth=[1, 1, 1]", "synthesis.minutes=0.005",
        "calibration.draws.reposed.count=8", "student.faces=8", "student.batch=8",
    ]  # fmt: skip
    assert recipe.main([*whole, "--max-minutes", "0"]) == 0
    for folder in ("files", "student_files"):
        report = json.loads((tmp_path / folder / "encoder.json").read_text())
        assert report["faces"] >= 8 and all(v < 0.05 for v in report["difference_to_torch"].values())
    assert recipe.main(whole) == 0
