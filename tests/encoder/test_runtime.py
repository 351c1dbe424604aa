# SPDX-License-Identifier: Apache-2.0
"""The engines behind one interface: equal numbers, the right choice, clear errors."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from formula import fixture_error, fixture_image, formula_weights

from smirk_core.encoder import runtime
from smirk_core.encoder.architecture import EncoderSize
from smirk_core.encoder.runtime import check_head, encoder_report, load_encoder, make_encoder
from smirk_core.errors import AssetError

SMALL = EncoderSize(n_shape=6, n_exp=39)
ORT = importlib.util.find_spec("onnxruntime") is not None
TORCH = importlib.util.find_spec("torch") is not None
needs_ort = pytest.mark.skipif(not ORT, reason="no ONNX Runtime here")
needs_torch = pytest.mark.skipif(not TORCH, reason="no torch here")


@pytest.fixture(scope="module")
def weights():
    return formula_weights(SMALL, head="toy")


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(3).integers(0, 256, (7, 224, 224, 3), np.uint8)


def torch_encoder(weights, precision="float32", batch=32):
    from smirk_core.encoder.torch_engine import TorchEngine

    return runtime.Encoder("x", "", weights.head, weights.size, TorchEngine(weights, "cpu", precision), batch)


@needs_ort
def test_onnx_runtime_equals_the_published_outputs():
    assert fixture_error(make_encoder(formula_weights(), "cpu").engine.run(fixture_image())) < 1e-6


@needs_torch
def test_torch_equals_the_published_outputs():
    assert fixture_error(torch_encoder(formula_weights()).engine.run(fixture_image())) < 1e-6


@needs_ort
@needs_torch
def test_the_engines_agree(weights, crops):
    first, second = make_encoder(weights, "cpu").encode(crops), torch_encoder(weights).encode(crops)
    for name, values in first.items():
        np.testing.assert_allclose(values, second[name], atol=1e-5)


@needs_torch
@pytest.mark.parametrize(("precision", "bound"), [("float16", 1e-3), ("bfloat16", 1e-2)])
def test_half_precision_errs_as_stated(precision, bound, crops):
    """Formula weights spread wider than trained ones; error relative to the spread of each output over pictures."""
    weights = formula_weights()
    exact, rough = torch_encoder(weights).encode(crops), torch_encoder(weights, precision).encode(crops)
    worst = max(float(np.abs(exact[k] - rough[k]).max()) for k in exact)
    assert 0 < worst < bound


@needs_ort
def test_pixels_are_divided_by_255_and_nothing_else(weights, crops):
    encoder = make_encoder(weights, "cpu")
    images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32) / 255
    for name, values in encoder.encode(crops).items():
        np.testing.assert_array_equal(values, encoder.engine.run(images)[name])


@needs_ort
def test_batches_change_nothing_but_memory(weights, crops):
    whole = make_encoder(weights, "cpu").encode(crops)
    parts = make_encoder(weights, "cpu", batch=3).encode(crops)
    for name, values in whole.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, parts[name], atol=1e-6)
    none = make_encoder(weights, "cpu").encode(crops[:0])
    assert {k: v.shape for k, v in none.items()} == {o.name: (0, o.size) for o in SMALL.outputs}


@needs_ort
def test_crops_of_another_shape_are_refused(weights, crops):
    encoder = make_encoder(weights, "cpu")
    for wrong in (crops[0], crops[:, :100], crops.astype(np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            encoder.encode(wrong)


@needs_ort
def test_all_formats_give_the_same_numbers(weights, crops, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(weights.to_safetensors())
    (tmp_path / "a.onnx").write_bytes(weights.to_onnx())
    first, second = (load_encoder(tmp_path / f"a.{kind}", "cpu") for kind in ("safetensors", "onnx"))
    assert (first.size, first.head) == (second.size, second.head) == (SMALL, "toy")
    for name, values in first.encode(crops).items():
        np.testing.assert_array_equal(values, second.encode(crops)[name])


@needs_ort
def test_the_processor_uses_onnx_runtime_and_one_thread(weights, monkeypatch):
    import onnxruntime

    seen = {}
    real = onnxruntime.InferenceSession

    def session(data, options, **rest):
        seen["threads"] = options.intra_op_num_threads
        return real(data, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(runtime, "_nvidia_driver", lambda: False)
    encoder = make_encoder(weights, "auto")
    assert seen["threads"] == 1
    assert encoder.engine.name == f"ONNX Runtime {onnxruntime.__version__} CPU"
    assert encoder.describe() == f"formula (ffffffffffff) for toy on {encoder.engine.name}"


@needs_ort
def test_a_card_that_cannot_be_used_keeps_nobody_from_working(weights, monkeypatch):
    monkeypatch.setattr(runtime, "_nvidia_driver", lambda: True)
    assert make_encoder(weights, "auto").engine.name.endswith("CPU")


@needs_torch
def test_torch_stands_in_where_onnx_runtime_is_missing(weights, monkeypatch):
    monkeypatch.setattr(runtime, "available_providers", lambda: ())
    assert make_encoder(weights, "cpu").engine.name.startswith("torch")


def test_without_any_engine_the_line_says_what_to_install(weights, monkeypatch):
    monkeypatch.setattr(runtime, "available_providers", lambda: ())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for device, says in (("cpu", "pip install onnxruntime"), ("auto", "pip install onnxruntime"), ("mps", "torch")):
        with pytest.raises(AssetError, match=says):
            make_encoder(weights, device)
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        encoder_report()


@pytest.mark.parametrize("device", ["cuda", "mps", "coreml", "directml"])
def test_a_device_that_is_not_here_is_said(weights, device):
    if device in runtime.available_providers():
        pytest.skip("it is here")
    if TORCH and device in ("cuda", "mps"):
        import torch

        if torch.cuda.is_available() or torch.backends.mps.is_available():
            pytest.skip("it is here")
    with pytest.raises(AssetError, match=device):
        make_encoder(weights, device)


@needs_ort
def test_torch_does_not_run_onnx_files(weights, tmp_path, monkeypatch):
    (tmp_path / "a.onnx").write_bytes(weights.to_onnx())
    with pytest.raises(AssetError):
        load_encoder(tmp_path / "a.onnx", "mps")
    if not TORCH:
        with pytest.raises(AssetError, match="float16 needs torch"):
            load_encoder(tmp_path / "a.onnx", "cpu", precision="float16")


@needs_ort
def test_a_graph_that_is_no_encoder(tmp_path):
    from smirk_core.encoder.onnx_graph import _FLOAT, _value
    from smirk_core.encoder.protobuf import message

    node = message((1, "image"), (2, "y"), (4, "Relu"))
    graph = message((1, node), (2, "g"), (11, _value("image", ("n", 3))), (12, _value("y", ("n", 3))))
    assert _FLOAT == 1
    (tmp_path / "a.onnx").write_bytes(message((1, 8), (7, graph), (8, message((2, 17)))))
    with pytest.raises(AssetError, match="is not an encoder: expected the input 'image'"):
        load_encoder(tmp_path / "a.onnx", "cpu")


@pytest.mark.parametrize(
    ("source", "says"),
    [("bundled", "is missing from this installation"), ("weights", "is not an encoder"), ("nowhere.pt", "no encoder")],
)
def test_words_that_mean_nothing(source, says, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "BUNDLED_ENCODER_PATH", tmp_path / "encoder.onnx")
    with pytest.raises(AssetError, match=says):
        load_encoder(source)


def test_the_users_imported_checkpoint(tmp_path, monkeypatch, weights):
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path))
    with pytest.raises(AssetError, match="smirk assets import"):
        load_encoder("smirk")
    folder = tmp_path / "assets" / "smirk-checkpoint"
    folder.mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(weights.to_safetensors())
    assert runtime.find_encoder("smirk") == folder / "mine.safetensors"


@needs_ort
def test_an_encoder_of_another_head_is_refused(toy_head, weights):
    check_head(make_encoder(weights, "cpu"), toy_head)
    for wrong in (
        formula_weights(SMALL, head="flame"),
        formula_weights(EncoderSize(6, 50), head="toy"),
        formula_weights(EncoderSize(7, 39), head="toy"),
    ):
        with pytest.raises(AssetError, match="does not fit 'toy-1'"):
            check_head(make_encoder(wrong, "cpu"), toy_head)


@needs_ort
def test_importing_and_using_the_processor_loads_no_torch(tmp_path, weights):
    import subprocess

    (tmp_path / "a.safetensors").write_bytes(weights.to_safetensors())
    code = (
        "import sys, numpy as np; from smirk_core.encoder.runtime import load_encoder; "
        "assert 'onnxruntime' not in sys.modules; e = load_encoder(sys.argv[1], 'cpu'); "
        "e.encode(np.zeros((1, 224, 224, 3), np.uint8)); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.safetensors")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
