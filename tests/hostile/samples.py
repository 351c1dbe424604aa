# SPDX-License-Identifier: Apache-2.0
"""A small good file of every kind that people hand over, and how each kind is opened and put to use."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from old_pickles import Chumpy, OldCsc, Py2Pickle, Py3Pickle
from toys import make_take, make_toy_head, save_head

from smirk_core.asset_import.recognise import recognise
from smirk_core.encoder.checkpoint import read_tensors
from smirk_core.encoder.safetensors_file import to_safetensors
from smirk_core.heads.decode import decode
from smirk_core.heads.open_head import load_open_head
from smirk_core.heads.safe_pickle import load_npy, load_pickle
from smirk_core.importers.take_import import import_take
from smirk_core.take import Take, load_take

__all__ = ["OPENERS", "write_samples", "zipped_tensors"]

HEAD = make_toy_head()


def _parameters() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    wide = {"shape": 100, "exp": 50, "pose": 6, "cam": 3}
    values = {k: rng.uniform(0.1, 0.5, (4, n)).astype(np.float32) for k, n in wide.items()}
    return {**values, "tform": np.tile(np.diag([0.5, 0.5, 1.0]), (4, 1, 1))}


def zipped_tensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A ``.pt`` file as torch 1.6 and later write it: a zip around a pickle of records and the raw numbers."""
    record = Py3Pickle()
    out = record.out
    out.write(b"}(")
    for number, (name, array) in enumerate(tensors.items()):
        record.value(name)
        record.name("torch._utils", "_rebuild_tensor_v2")
        out.write(b"((")
        record.value("storage")
        record.name("torch", {"<f4": "FloatStorage", "<i8": "LongStorage"}[array.dtype.str])
        for part in (str(number), "cuda:0", array.size):
            record.value(part)
        out.write(b"tQ")
        for part in (0, array.shape, tuple(s // array.itemsize for s in array.strides), False):
            record.value(part)
        record.name("collections", "OrderedDict")
        out.write(b")RtR")
    out.write(b"u")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", record.finish())
        archive.writestr("model/byteorder", "little")
        for number, array in enumerate(tensors.values()):
            archive.writestr(f"model/data/{number}", array.tobytes())
        archive.writestr("model/version", "3\n")
    return path


def write_samples(folder: Path) -> dict[str, Path]:
    """Kind (a key of :data:`OPENERS`) -> a good file of that kind."""
    import scipy.io  # only where MATLAB files are written

    rng = np.random.default_rng(1)
    values = _parameters()
    make_take(HEAD, 6).save(folder / "good.take.npz")
    save_head(HEAD, folder / "head.npz")
    np.savez_compressed(folder / "deca.npz", **values)
    np.save(folder / "deca.npy", np.array(values, dtype=object), allow_pickle=True)
    (folder / "deca.pkl").write_bytes(
        pickle.dumps([{k: v[i] for k, v in values.items()} for i in range(4)], protocol=4)
    )
    scipy.io.savemat(folder / "deca.mat", values)
    scipy.io.savemat(folder / "packed.mat", values, do_compression=True)
    flame = Py2Pickle()
    flame.value(
        {
            "v_template": rng.normal(size=(9, 3)), "f": np.arange(9, dtype=np.uint32).reshape(3, 3),
            "shapedirs": Chumpy(rng.normal(size=(9, 3, 4))), "J_regressor": OldCsc(rng.random((5, 9)) > 0.6),
            "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        }
    )  # fmt: skip
    (folder / "flame.pkl").write_bytes(flame.finish())
    tensors = {
        "smirk_encoder.a.weight": rng.normal(size=(6, 8)).astype(np.float32),
        "smirk_encoder.a.num_batches_tracked": np.zeros((), np.int64),
    }
    zipped_tensors(folder / "encoder.pt", tensors)
    (folder / "encoder.safetensors").write_bytes(to_safetensors(tensors, {"kind": "x"}))
    return {
        "take": folder / "good.take.npz", "head": folder / "head.npz", "npz": folder / "deca.npz",
        "npy": folder / "deca.npy", "pkl": folder / "deca.pkl", "mat": folder / "deca.mat",
        "packed mat": folder / "packed.mat", "flame": folder / "flame.pkl", "pt": folder / "encoder.pt",
        "safetensors": folder / "encoder.safetensors",
    }  # fmt: skip


def _use(take: Take) -> None:
    Take.from_bytes(take.to_bytes())
    if take.info.head_digest == HEAD.digest and take.raw.get("expression", np.zeros((1, 0))).shape[1] <= 39:
        take.parameters()


def _take(path: Path) -> None:
    _use(load_take(path))
    Take.from_bytes(path.read_bytes())


def _head(path: Path) -> None:
    head = load_open_head.__wrapped__(path)
    size = head.identity_size
    decode(head, {"identity": np.ones((1, size)), "jaw": np.full((1, 3), 0.1)})
    assert head.triangle_uvs.shape == head.triangles.shape


def _parameter_file(path: Path) -> None:
    _use(import_take(path, HEAD))


def _pickle(path: Path) -> None:
    load_pickle(path)
    recognise(path, "")


def _array(path: Path) -> None:
    load_npy(path)
    _parameter_file(path)


def _checkpoint(path: Path) -> None:
    for array in read_tensors(path).values():
        array.sum()
    recognise(path, "")


# How a file of each kind is opened and used; raises SmirkError, or nothing.
OPENERS: dict[str, Callable[[Path], None]] = {
    "take": _take, "head": _head, "npz": _parameter_file, "npy": _array, "pkl": _parameter_file,
    "mat": _parameter_file, "packed mat": _parameter_file, "flame": _pickle, "pt": _checkpoint,
    "safetensors": _checkpoint,
}  # fmt: skip
