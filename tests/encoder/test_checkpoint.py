# SPDX-License-Identifier: Apache-2.0
"""Files of weights: every format gives the same arrays, and what is wrong with a file is said in one line."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest
from formula import formula_tensors, formula_weights
from torch_files import archive, dict_pickle, legacy_file, tensor_pickle, zip_file

from smirk_core.encoder.architecture import PREFIX, EncoderSize
from smirk_core.encoder.checkpoint import checked_weights, load_weights, read_tensors
from smirk_core.encoder.safetensors_file import from_safetensors, to_safetensors
from smirk_core.errors import AssetError

SMALL = EncoderSize(n_shape=6, n_exp=4)
GENERATOR = {"smirk_generator.down1.weight": np.ones((4, 3), np.float32)}


@pytest.fixture(scope="module")
def tensors():
    return formula_tensors(SMALL)


def same(weights, tensors) -> bool:
    return {PREFIX + k for k in weights.arrays} == set(tensors) and all(
        v.dtype == tensors[PREFIX + k].dtype and np.array_equal(v, tensors[PREFIX + k])
        for k, v in weights.arrays.items()
    )


@pytest.mark.parametrize("ordered", [False, True])
def test_a_checkpoint_of_todays_torch(tensors, tmp_path, ordered):
    path = tmp_path / "SMIRK_em1.pt"
    path.write_bytes(zip_file({**tensors, **GENERATOR}, ordered=ordered))
    weights = load_weights(path)
    assert same(weights, tensors)
    assert (weights.size, weights.head, weights.source) == (SMALL, "flame", "SMIRK_em1.pt")
    assert weights.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(
        read_tensors(path, "smirk_generator.")["smirk_generator.down1.weight"], np.ones((4, 3))
    )


def test_a_checkpoint_of_torch_before_1_6(tensors, tmp_path):
    path = tmp_path / "old.pt"
    path.write_bytes(legacy_file(tensors))
    assert same(load_weights(path), tensors)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_itself_writes(tensors, tmp_path, legacy):
    torch = pytest.importorskip("torch")
    path = tmp_path / "torch.pt"
    state = {k: torch.from_numpy(np.array(v)) for k, v in {**tensors, **GENERATOR}.items()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    assert same(load_weights(path), tensors)


def test_every_kind_of_tensor_that_torch_writes(tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    values = {
        "turned": base.t(), "part": base[1:3, ::2], "none": torch.zeros(0, 3), "scalar": torch.tensor(7),
        "half": base.half(), "brain": base.bfloat16(), "double": base.double(), "flag": base > 4,
        "wide": torch.ones(1, 3).expand(1, 3), "learned": torch.nn.Parameter(base.clone()),
    }  # fmt: skip
    torch.save({**values, "epoch": 3, "name": "x"}, tmp_path / "all.pt")
    read = read_tensors(tmp_path / "all.pt")
    assert set(read) == set(values)
    for name, value in values.items():
        expected = value.detach()
        expected = (expected.float() if name == "brain" else expected).numpy()
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)


def test_safetensors_forth_and_back(tensors, tmp_path):
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(checked_weights(tensors, head="open").to_safetensors())
    weights = load_weights(path)
    assert same(weights, tensors) and weights.head == "open" and weights.size == SMALL


def test_safetensors_as_others_write_and_read_them(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(5, np.int64), "c": np.ones((0, 2), np.float16)
    }  # fmt: skip
    read, words = from_safetensors(library.save(arrays, {"head": "open"}))
    assert words == {"head": "open"}
    theirs = library.load(to_safetensors(arrays, {"head": "open"}))
    for ours in (read, theirs):
        assert set(ours) == set(arrays)
        for name, values in arrays.items():
            assert ours[name].dtype == values.dtype
            np.testing.assert_array_equal(ours[name], values)


def test_an_onnx_file_is_kept_as_it_is(tmp_path):
    path = tmp_path / "encoder.onnx"
    path.write_bytes(formula_weights(SMALL).to_onnx())
    weights = load_weights(path)
    assert weights.to_onnx() == path.read_bytes() and not weights.arrays


NAME = "smirk_encoder.pose_encoder.encoder.bn1.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop(NAME), f"lacks 1 of the encoder's 762 tensors: {NAME.removeprefix(PREFIX)}."),
        (lambda t: t.update({PREFIX + "more": np.ones(1, np.float32)}), "1 tensors that SMIRK's encoder has not: more"),
        (lambda t: t.update({"optimiser": np.ones(1, np.float32)}), "has not: optimiser"),
        (lambda t: t.update({NAME: np.ones(7, np.float32)}), r"bn1.weight' has the shape \(7,\); expected \(16,\)"),
        (lambda t: t.update({NAME: np.full(16, np.nan, np.float32)}), "not finite"),
        (lambda t: t.update({NAME.replace("weight", "running_var"): np.full(16, -1.0)}), "negative variances"),
        (lambda t: [t.pop(k) for k in list(t)], "holds no SMIRK encoder"),
        (lambda t: [t.pop(k) for k in list(t) if "shape" in k], "lacks 278 of .* and 275 more"),
        (lambda t: t.update({PREFIX + "expression_encoder.expression_layers.0.bias": np.ones(3)}), "shape"),
    ],
)
def test_what_does_not_fit_is_named(tensors, change, says):
    changed = dict(tensors)
    change(changed)
    with pytest.raises(AssetError, match=says):
        checked_weights(changed)


def test_other_files_are_told(tmp_path):
    path = tmp_path / "x.pt"
    files = {
        b"": "not a file of torch's, or it is damaged",
        b"<html>404</html>": "not a file of torch's",
        archive(b"\x80\x02K\x01.", {}): "no dictionary of tensors",
        archive(dict_pickle({"a": b"K\x01"}), {}): "holds no SMIRK encoder",
        archive(dict_pickle({"a": b"K\x01"}), {}, compression=zipfile.ZIP_DEFLATED): "compressed",
        zip_file(GENERATOR): "holds no SMIRK encoder",
    }
    for data, says in files.items():
        path.write_bytes(data)
        with pytest.raises(AssetError, match=says):
            load_weights(path)
    with pytest.raises(AssetError, match=r"no file .*nowhere\.pt"):
        load_weights(tmp_path / "nowhere.pt")
    with pytest.raises(AssetError, match="not an encoder file"):
        load_weights(tmp_path / "weights.h5")


def test_tensors_may_not_reach_beyond_their_numbers(tmp_path):
    path, values = tmp_path / "x.pt", np.ones((2, 3), np.float32)
    for wrong in (
        tensor_pickle("0", values, offset=1),
        tensor_pickle("0", values, strides=(3, 2)),
        tensor_pickle("0", values, strides=(-3, 1)),
        tensor_pickle("1", values),
        tensor_pickle("0", np.ones((3, 3), np.float32)),
    ):
        path.write_bytes(archive(dict_pickle({"a": wrong}), {"0": values.tobytes()}))
        with pytest.raises(AssetError, match="damaged"):
            read_tensors(path)
