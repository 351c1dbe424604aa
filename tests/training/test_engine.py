# SPDX-License-Identifier: Apache-2.0
"""Training runs: stopped and gone on with, damaged, spread over processes, fed with rubbish."""

from __future__ import annotations

import json
import os
import signal

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")

from smirk_core.errors import TrainingError  # noqa: E402
from training import checkpoints, data, engine  # noqa: E402
from training.averaging import MovingAverage, average_gradients  # noqa: E402
from training.config import parse_config  # noqa: E402
from training.data.plain import plain  # noqa: E402
from training.data.source import Request  # noqa: E402
from training.train import main  # noqa: E402

WEIGHTS = {"landmarks_mediapipe_478": 10, "photometric": 10, "structure": 1, "cycle_expression": 1, "cycle_jaw": 1}


def settings(*overrides: str, **sections):
    tree = {
        "data": {"size": 32, "batch": 2, "options": {"batches": 2}},
        "model": {"landmarks": ["mediapipe_478"], "generator": 4, "residual_blocks": 1, "mask_ratio": 0.05},
        "losses": {"weights": WEIGHTS},
        "run": {"steps": 6, "device": "cpu", "save_every": 100, "picture_every": 0, "log_every": 1},
    }
    return parse_config(tree | sections, overrides)


@pytest.fixture(scope="module")
def fabric():
    return engine.launch(settings())


def same(a, b, at="") -> None:
    assert type(a) is type(b), at
    if isinstance(a, dict):
        assert a.keys() == b.keys(), at
        for key in a:
            same(a[key], b[key], f"{at}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), at
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{at}.{number}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), at
    else:
        assert a == b, at


def test_stopped_and_gone_on_with_is_the_same_to_the_last_bit(tmp_path, fabric):
    """Weights, moments, averages, dice, everything; the part files too."""
    config = settings("run.keep=9", "run.save_every=3", "run.part_mib=4", "optimiser.warmup=2")
    straight = engine.train(config, tmp_path / "a", fabric=fabric).state()
    middle = tmp_path / "a" / "step-00000003"
    assert len(list(middle.glob("state.pt.*"))) > 1
    assert all(p.stat().st_size <= 4 << 20 for p in middle.iterdir())
    torch.manual_seed(99)  # whatever happened in between
    engine.train(config, tmp_path / "b", resume=str(middle), fabric=fabric)
    _, state, again = checkpoints.latest(tmp_path / "b")
    same(straight, state)
    assert again == config
    assert [line["step"] for line in engine.read_diary(tmp_path / "b")] == [3, 4, 5]
    text = (tmp_path / "b" / "summary.txt").read_text()
    assert "all steps done" in text and "6 of 6 (3 in this part)" in text and "photometric" in text


def test_a_signal_saves_the_step_at_hand(tmp_path, fabric, monkeypatch):
    def stopped(request, **options):
        for number, batch in enumerate(plain(request, **options)):
            if number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(f"{__name__}.stopped", stopped, raising=False)
    monkeypatch.setitem(data.SOURCES, "stopped", f"{__name__}:stopped")
    before = signal.getsignal(signal.SIGTERM)
    run = engine.train(settings("data.source=stopped", "run.picture_every=1"), tmp_path, fabric=fabric)
    assert run.step == 2 and signal.getsignal(signal.SIGTERM) is before
    assert [p.name for p in checkpoints.checkpoints(tmp_path)] == ["step-00000002"]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2
    assert "asked to stop" in (tmp_path / "summary.txt").read_text()


def test_minutes_leave_time_to_save(fabric, monkeypatch):
    run = engine.Trainer(settings(), fabric)
    for now, saving, expected in (
        (50.0, 0.0, ""),
        (58.5, 0.0, "1 minutes are over"),
        (50.0, 9.0, "1 minutes are over"),
    ):
        monkeypatch.setattr(engine.time, "monotonic", lambda now=now: now)
        assert engine._stop(run, [], 0.0, 1.0, saving) == expected


def test_not_a_number_is_counted_and_does_no_harm(tmp_path, fabric, monkeypatch):
    def broken(request, **options):
        for number, batch in enumerate(plain(request, **options)):
            image = batch.image * (float("nan") if number == 1 else 1)
            points = batch.landmarks["mediapipe_478"] * (float("nan") if number == 2 else 1)
            yield type(batch)(image, batch.hull, {"mediapipe_478": points})

    monkeypatch.setattr(f"{__name__}.broken", broken, raising=False)
    monkeypatch.setitem(data.SOURCES, "broken", f"{__name__}:broken")
    run = engine.train(settings("data.source=broken", "run.steps=3"), tmp_path, fabric=fabric)
    assert run.skipped == 1 and run.damaged == 2
    assert all(torch.isfinite(p).all() for p in run.paths.state_dict().values())
    text = (tmp_path / "summary.txt").read_text()
    assert "not learned from (not a number): 1" in text and "seen as black): 2" in text
    assert [line["landmarks_mediapipe_478"] is None for line in engine.read_diary(tmp_path)] == [False, False, True]


def test_damaged_checkpoints_are_passed_over(tmp_path, capsys):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, {"step": step, "x": torch.arange(3)}, settings(), keep=2)
    assert [p.name for p in checkpoints.checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]
    state = tmp_path / "step-00000003" / "state.pt"
    state.write_bytes(state.read_bytes()[:-1])
    path, found, config = checkpoints.latest(tmp_path)
    assert path.name == "step-00000002" and found["step"] == 2 and config == settings()
    assert "damaged" in capsys.readouterr().out
    (tmp_path / "step-00000002" / "state.pt").unlink()
    assert checkpoints.latest(tmp_path) is None


def test_nothing_in_a_checkpoint_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = checkpoints.save(tmp_path, 1, {"step": Evil()}, settings())
    with pytest.raises(TrainingError, match="damaged"):
        checkpoints.load(path)
    assert not (tmp_path / "harm").exists()


def test_parts_stay_in_their_folder(tmp_path):
    path = checkpoints.save(tmp_path, 1, {"step": 1}, settings())
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"parts": ["../state.pt"]}))
    with pytest.raises(TrainingError, match="outside"):
        checkpoints.load(path)


def test_a_failed_write_leaves_the_old_checkpoints(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, 1, {"step": 1}, settings())

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoints.save(tmp_path, 2, {"step": 2}, settings())
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


def test_the_core_stage_begins_with_the_average_of_pretraining(tmp_path, fabric):
    first = settings("model.generator=0", "run.steps=2", losses={"weights": {"landmarks_mediapipe_478": 1}})
    run = engine.train(first, tmp_path, fabric=fabric)
    second = engine.Trainer(settings(f"model.start={tmp_path}", "model.trained=[expression_encoder]"), fabric)
    assert run.average is not None and run.average.steps == 2
    same(dict(second.paths.encoder.state_dict()), dict(run.average.values))
    with pytest.raises(TrainingError, match="do not fit"):
        engine.Trainer(settings(f"model.start={tmp_path}", "model.identity=5"), fabric)


def test_half_precision_leaves_geometry_whole(fabric):
    """Networks in bfloat16; pose, camera and what hangs on them in float32, close to the run in float32."""
    config = settings("run.precision=bf16-mixed")
    half, whole = engine.Trainer(config, engine.launch(config)), engine.Trainer(settings(), fabric)
    batch = next(plain(Request(32, 2)))
    results = [run(batch) for run in (half, whole)]
    assert all(v.dtype == torch.float32 for v in results[0].found.groups.values())
    assert results[0].made.image.dtype == torch.bfloat16 and half.skipped == 0
    for name in ("landmarks_mediapipe_478", "photometric"):
        assert results[0].terms[name] == pytest.approx(results[1].terms[name], rel=0.05), name


def test_weights_follow_their_schedule(fabric):
    ramp = {"landmarks_mediapipe_478": {0: 10, 0.5: 0}, "photometric": 1}
    run = engine.Trainer(settings("optimiser.generator_rate=0.01", losses={"weights": ramp}), fabric)
    batch = next(plain(Request(32, 2)))
    seen = []
    for _ in range(4):
        run(batch)
        seen.append((run.learn.weights["landmarks_mediapipe_478"], run.learn.generator_optimiser.param_groups[0]["lr"]))
    assert [round(w, 3) for w, _ in seen] == [10, 6.667, 3.333, 0]
    assert seen[0][1] == 0.01 and seen[1][1] > seen[2][1] > seen[3][1]


@pytest.mark.parametrize(
    ("overrides", "losses", "words"),
    [
        ([], {"landmarks_ibug_68": 1}, "model.landmarks"),
        ([], {"landmarks_other": 1}, "gives"),
        ([], {"photometrics": 1}, "no such term"),
        (["data.source=nothing"], WEIGHTS, "no data source"),
        (["data.options={tint: 1}"], WEIGHTS, "does not take"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(tmp_path, fabric, overrides, losses, words):
    with pytest.raises(TrainingError, match=words):
        engine.train(settings(*overrides, losses={"weights": losses}), tmp_path, fabric=fabric)
    assert not checkpoints.checkpoints(tmp_path)


def test_command_line(tmp_path, capsys):
    assert main(["open_head/pretrain", "run.stepz=1", "-o", str(tmp_path)]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err
    small = ["data.size=32", "data.batch=2", "run.steps=1", "run.check_every=1", "run.check_batches=1"]
    assert main(["open_head/pretrain", *small, "run.device=cpu", "-o", str(tmp_path), "--max-minutes", "5"]) == 0
    line = engine.read_diary(tmp_path)[-1]
    assert line["held_out_vertex_mm"] > 0 and (tmp_path / "curves.png").stat().st_size > 0


def test_moving_average():
    module = torch.nn.BatchNorm1d(2)
    average = MovingAverage(module, 0.9)
    for value in (1.0, 2.0):
        with torch.no_grad():
            module.weight.fill_(value)
            module.num_batches_tracked.add_(1)
        average.update(module)
    # 1 stays 1 at first, then it goes 9/11 of the way to 2
    assert average.values["weight"].tolist() == pytest.approx([1 + 9 / 11] * 2)
    assert average.values["num_batches_tracked"] == 2


def test_gradients_that_one_process_lacks_count_as_nothing():
    here, nowhere = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(1))
    here.grad = torch.tensor([2.0, 4.0])
    average_gradients([here, nowhere], lambda mine: (mine + torch.zeros_like(mine)) / 2)
    assert here.grad.tolist() == [1, 2] and nowhere.grad is None
