# SPDX-License-Identifier: Apache-2.0
"""Files that want to run something, fill the memory, or are broken: an AssetError in one line, nothing else."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from formula import formula_tensors, formula_weights
from torch_files import archive, dict_pickle, legacy_file, tensor_pickle, zip_file

from smirk_core.encoder.architecture import EncoderSize
from smirk_core.encoder.checkpoint import load_weights, read_tensors
from smirk_core.encoder.runtime import make_encoder
from smirk_core.errors import AssetError

SMALL = EncoderSize(n_shape=2, n_exp=2)
VALUES = np.ones((2, 3), np.float32)


def one_line(error: AssetError) -> bool:
    return "\n" not in str(error) and 20 < len(str(error)) < 600


def hostile(mark: Path) -> dict[str, bytes]:
    """Files that make ``mark`` when their pickle is run, or that ask for the impossible."""
    command = f"open({str(mark)!r}, 'w')"

    class ByReduce:
        def __reduce__(self):
            return eval, (command,)

    class ByState:
        def __reduce__(self):
            return (dict, (), None, None, iter([("a", ByReduce())]))

    text = command.encode()
    by_eval = b"cbuiltins\neval\n(X" + struct.pack("<I", len(text)) + text + b"tR"
    by_inst = b"(X" + struct.pack("<I", len(text)) + text + b"ibuiltins\neval\n"
    by_system = b"cos\nsystem\n(X" + struct.pack("<I", len(mark.name) + 6) + b"touch " + mark.name.encode() + b"tR"
    by_chain = b"\x8c\x08builtins\x8c\x04eval\x93(X" + struct.pack("<I", len(text)) + text + b"tR"
    state = b"ctorch._utils\n_rebuild_tensor_v2\n}X\x08\x00\x00\x00__code__K\x01sb"
    raw = {"0": VALUES.tobytes()}
    good = tensor_pickle("0", VALUES)
    return {
        "reduce.pt": archive(pickle.dumps({"a": ByReduce()}), raw),
        "items.pt": archive(pickle.dumps(ByState()), raw),
        "eval.pt": archive(dict_pickle({"a": good, "b": by_eval}), raw),
        "instance.pt": archive(dict_pickle({"a": by_inst}), raw),
        "system.pt": archive(dict_pickle({"a": by_system}), raw),
        "stack.pt": archive(dict_pickle({"a": by_chain}), raw),
        "code of a function.pt": archive(dict_pickle({"a": state}), raw),
        "in the older format.pt": legacy_file({"a": VALUES})[:40] + pickle.dumps(ByReduce()),
        "first of the older format.pt": pickle.dumps(ByReduce()),
        "as a storage.pt": archive(dict_pickle({"a": good.replace(b"ctorch\nFloatStorage\n", by_eval)}), raw),
        "as a name.pt": archive(dict_pickle({"a": good.replace(b"X\x01\x00\x00\x000", by_eval)}), raw),
        "a memory bomb.pt": archive(b"\x80\x02}r\xff\xff\xff\xff.", raw),
        "a long number.pt": archive(b"\x80\x02\x8b\xff\xff\xff\x7f.", raw),
        "long bytes.pt": archive(b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b".", raw),
        "deep.pt": archive(b"\x80\x02" + b"(" * 200_000 + b".", raw),
        "a huge tensor.pt": archive(dict_pickle({"a": tensor_pickle("0", VALUES, strides=(0, 0)).replace(
            b"(J\x02\x00\x00\x00J\x03\x00\x00\x00t", b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", 1)}), raw),
    }  # fmt: skip


def test_nothing_in_a_file_is_ever_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    for name, data in hostile(mark).items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(AssetError) as caught:
            load_weights(path)
            pytest.fail(name)
        assert one_line(caught.value), name
        assert not mark.exists(), name


def test_the_marks_would_be_seen(tmp_path, monkeypatch):
    """Python's own unpickler does run these files, so that the test above means something."""

    class Plain(pickle.Unpickler):
        def persistent_load(self, pid):
            return None

    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    for name in ("reduce.pt", "eval.pt", "instance.pt", "system.pt", "stack.pt"):
        with zipfile.ZipFile(io.BytesIO(hostile(mark)[name])) as file:
            unpickler = Plain(io.BytesIO(file.read("archive/data.pkl")))
        try:
            unpickler.load()
        except Exception as error:
            assert "torch" in str(error) or name == "eval.pt"  # what comes before the call, where torch is missing
            continue
        assert mark.exists(), name
        mark.unlink()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with a few bytes changed, cut off, doubled or swapped."""
    out = bytearray(data)
    # Most of a file is numbers, in which anything goes: half of the changes go to its ends, where the structure is.
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(len(out)))
        if rng.random() < 0.7:
            at = int(
                rng.choice([rng.integers(min(len(out), 60_000)), len(out) - 1 - rng.integers(min(len(out), 90_000))])
            )
        kind = rng.integers(5)
        if kind == 0:
            out[at] = rng.integers(256)
        elif kind == 1:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del out[at : at + int(rng.integers(1, 50))]
        elif kind == 3:
            out[at:at] = out[max(0, at - 30) : at]
        else:
            out[at : at + 4] = struct.pack("<I", int(rng.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, rng.integers(1 << 31)])))
        if not out:
            break
    if rng.random() < 0.15:
        out = out[: int(rng.integers(len(out) + 1))]
    return bytes(out)


def fuzz(data: bytes, suffix: str, count: int, tmp_path: Path, open_it) -> int:
    rng = np.random.default_rng(11)
    refused, path = 0, tmp_path / f"x{suffix}"
    for _ in range(count):
        path.write_bytes(mutated(data, rng))
        try:
            open_it(path)
        except AssetError as error:
            assert one_line(error)
            refused += 1
    return refused


@pytest.mark.parametrize("write", [zip_file, legacy_file], ids=["zip", "legacy"])
def test_damaged_checkpoints_are_refused_or_read(tmp_path, write):
    """A change among the numbers may go unnoticed in the older format, which has no check sums; nothing else may."""
    data = write(formula_tensors(SMALL))
    assert fuzz(data, ".pt", 100, tmp_path, load_weights) > 50


def test_damaged_pickles_are_refused_or_read(tmp_path):
    """The pickle alone, without the check sum of the zip around it."""
    rng = np.random.default_rng(5)
    pickled = dict_pickle({f"t{i}": tensor_pickle("0", VALUES) for i in range(4)}, ordered=True)
    refused, path = 0, tmp_path / "x.pt"
    for _ in range(400):
        path.write_bytes(archive(mutated(pickled, rng), {"0": VALUES.tobytes()}))
        try:
            read_tensors(path)
        except AssetError as error:
            assert one_line(error)
            refused += 1
    assert refused > 200


def test_damaged_safetensors_are_refused_or_read(tmp_path):
    data = formula_weights(SMALL).to_safetensors()
    assert fuzz(data, ".safetensors", 100, tmp_path, load_weights) > 30
    path = tmp_path / "x.safetensors"
    entries = ({"shape": [2**40], "data_offsets": [0, 4]}, {"shape": [-1], "data_offsets": [4, 0]})
    tables = [json.dumps({"a": {"dtype": "F32", **entry}}).encode() for entry in entries]
    for table in (b"[]", b"{", b"\xff", b"[" * 100_000, *tables):
        path.write_bytes(len(table).to_bytes(8, "little") + table + b"1234")
        with pytest.raises(AssetError):
            load_weights(path)


def test_damaged_graphs_are_refused_or_read(tmp_path, capfd):
    pytest.importorskip("onnxruntime")
    data = formula_weights(SMALL).to_onnx()
    assert fuzz(data, ".onnx", 60, tmp_path, lambda path: make_encoder(load_weights(path), "cpu")) > 10
    assert capfd.readouterr() == ("", "")
