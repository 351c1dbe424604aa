# SPDX-License-Identifier: Apache-2.0
"""Encoder weights from files: SMIRK's ``.pt``, our ``.safetensors`` and ``.onnx``. Strict, and nothing in them runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.safe_pickle import read_bytes
from .architecture import BRANCHES, PREFIX, EncoderSize, encoder_keys
from .folding import fold
from .onnx_graph import build_onnx, onnx_problem
from .safetensors_file import from_safetensors, to_safetensors
from .torch_archive import from_torch

__all__ = [
    "GENERATOR_PREFIX",
    "OFFICIAL_HEAD",
    "SUFFIXES",
    "Weights",
    "checked_weights",
    "load_weights",
    "read_tensors",
]

Array = npt.NDArray[Any]
GENERATOR_PREFIX = "smirk_generator."
SUFFIXES: tuple[str, ...] = (".pt", ".pth", ".ckpt", ".safetensors", ".onnx")
OFFICIAL_HEAD = "flame"  # the head that SMIRK's own checkpoints speak of


@dataclass(frozen=True)
class Weights:
    """The weights of an encoder.

    Attributes:
        arrays: as named by :func:`smirk_core.encoder.architecture.encoder_keys`; empty for an ``.onnx`` file.
        size: how many identity and expression coefficients.
        head: name of the head model that the coefficients belong to; "flame" for SMIRK's own.
        source: file name, for people.
        digest: SHA-256 of the file, "" where there is none.
        onnx: the graph, where the file is one.
    """

    arrays: Mapping[str, Array]
    size: EncoderSize
    head: str = OFFICIAL_HEAD
    source: str = ""
    digest: str = ""
    onnx: bytes = b""

    def to_onnx(self) -> bytes:
        """The encoder as an ONNX graph, batch normalisation folded in."""
        if self.onnx:
            return self.onnx
        return build_onnx(fold(self.arrays, self.size), self.size, self._words())

    def to_safetensors(self) -> bytes:
        """The weights with the names of a checkpoint."""
        if not self.arrays:
            raise ValueError("an encoder from an .onnx file has no weights of its own any more")
        return to_safetensors({PREFIX + k: v for k, v in self.arrays.items()}, self._words())

    def _words(self) -> dict[str, str]:
        return {"kind": "smirk-encoder-1", "head": self.head}


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def checked_weights(
    tensors: Mapping[str, Array], *, head: str = OFFICIAL_HEAD, source: str = "the encoder", digest: str = ""
) -> Weights:
    """Weights from a checkpoint's tensors: all of them, of the right shapes, finite.

    Args:
        tensors: with the checkpoint's prefixes; the generator's are passed over.
        head, source, digest: see :class:`Weights`.

    Raises:
        AssetError: something is missing, unexpected, of the wrong shape, or not a number; the line names it.
    """
    given = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
    if not given:
        raise AssetError(f"{source} holds no SMIRK encoder: none of its {len(tensors)} entries starts with '{PREFIX}'.")
    try:
        rows = {b.name: given[f"{b.name}.{b.head}.0.bias"].shape[0] for b in BRANCHES}
        size = EncoderSize(rows["shape_encoder"], max(rows["expression_encoder"] - 5, 0))
    except (KeyError, IndexError):
        size = EncoderSize()
    expected = encoder_keys(size)
    missing = [k for k in expected if k not in given]
    if missing:
        raise AssetError(f"{source} lacks {len(missing)} of the encoder's 762 tensors: {_some(missing)}.")
    foreign = [k for k in tensors if not k.startswith((PREFIX, GENERATOR_PREFIX))]
    unexpected = [k for k in given if k not in expected] + foreign
    if unexpected:
        raise AssetError(f"{source} holds {len(unexpected)} tensors that SMIRK's encoder has not: {_some(unexpected)}.")
    for name, shape in expected.items():
        values = given[name]
        if values.shape != shape:
            raise AssetError(f"{source}: '{name}' has the shape {values.shape}; expected {shape}.")
        if values.dtype.kind not in "fi" or not np.isfinite(values).all():
            raise AssetError(f"{source}: '{name}' holds values that are not finite numbers.")
        if name.endswith("running_var") and not (values >= 0).all():
            raise AssetError(f"{source}: '{name}' holds negative variances.")
    arrays = {
        k: given[k].astype(np.int64 if k.endswith("num_batches_tracked") else np.float32) for k in expected
    }  # fmt: skip
    return Weights(arrays, size, head, source, digest)


def read_tensors(path: str | os.PathLike[str], prefix: str = "") -> dict[str, Array]:
    """The tensors of a ``.pt`` or ``.safetensors`` file as arrays, those whose names start with ``prefix``.

    Nothing in the file is run, and torch is not needed.

    Raises:
        AssetError: the file is missing, damaged, hostile or of another kind.
    """
    path = Path(path)
    return _tensors(path, read_bytes(path), lambda name: name.startswith(prefix))[0]


def _tensors(path: Path, data: bytes, wanted: Callable[[str], bool]) -> tuple[dict[str, Array], dict[str, str]]:
    if path.suffix != ".safetensors":
        return from_torch(data, str(path), wanted), {}
    try:
        arrays, words = from_safetensors(data)
    except ValueError as error:
        raise AssetError(f"{path} is not a safetensors file, or it is damaged: {error}.") from error
    return {k: v for k, v in arrays.items() if wanted(k)}, words


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """An encoder from a ``.pt``, ``.pth``, ``.ckpt``, ``.safetensors`` or ``.onnx`` file.

    Raises:
        AssetError: the file is missing, damaged, hostile, or not an encoder of SMIRK's; the line says why.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise AssetError(f"{path} is not an encoder file; there are .pt (SMIRK's own), .safetensors and .onnx.")
    data = read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix == ".onnx":
        problem = onnx_problem(data)
        if problem:
            raise AssetError(f"{path} cannot be used as an encoder: {problem}.")
        # Its sizes and its head are known once an engine has opened it.
        return Weights({}, EncoderSize(), "", path.name, digest, data)
    # The generator is ten times as large as the encoder and of no use here.
    tensors, words = _tensors(path, data, lambda name: not name.startswith(GENERATOR_PREFIX))
    return checked_weights(tensors, head=words.get("head", OFFICIAL_HEAD), source=path.name, digest=digest)
