# SPDX-License-Identifier: Apache-2.0
"""Encoder weights from files: SMIRK's ``.pt``, our ``.safetensors`` and ``.onnx``. Strict, and nothing in them runs."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.safe_pickle import read_bytes
from .architecture import BRANCHES, CROP_SCALE, IMAGE_SIZE, PREFIX, EncoderSize, encoder_keys
from .extras import EXTRA_LAYER, ExtraOutput, extra_outputs, points_of
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
    "crop_scale_of",
    "load_weights",
    "point_vertices",
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
        extras: ``weight`` and ``bias`` of the layer of :mod:`smirk_core.encoder.extras`, {} where there is none.
        pixels: that the networks look at; crops are always of 224 and averaged down to it.
        vertices: (P,) of the head, the dense points of the extras.
        crop_scale: side of the crops it wants, in sizes of the landmarks' box.
    """

    arrays: Mapping[str, Array]
    size: EncoderSize
    head: str = OFFICIAL_HEAD
    source: str = ""
    digest: str = ""
    onnx: bytes = b""
    extras: Mapping[str, Array] = field(default_factory=dict)
    pixels: int = IMAGE_SIZE
    vertices: tuple[int, ...] = ()
    crop_scale: float = CROP_SCALE

    @property
    def extra_outputs(self) -> tuple[ExtraOutput, ...]:
        """What the extra layer says; () where there is none."""
        if not self.extras:
            return ()
        return extra_outputs(self.size.n_exp, points_of(len(self.extras["bias"]), self.size.n_exp))

    def to_onnx(self) -> bytes:
        """The encoder as an ONNX graph, batch normalisation folded in."""
        if self.onnx:
            return self.onnx
        return build_onnx(
            fold(self.arrays, self.size), self.size, self._words(), self.extras, self.extra_outputs, self.pixels
        )

    def to_safetensors(self) -> bytes:
        """The weights with the names of a checkpoint."""
        if not self.arrays:
            raise ValueError("an encoder from an .onnx file has no weights of its own any more")
        named = {PREFIX + k: v for k, v in self.arrays.items()}
        named |= {f"{PREFIX}{EXTRA_LAYER}.{k}": v for k, v in self.extras.items()}
        return to_safetensors(named, self._words())

    def _words(self) -> dict[str, str]:
        words = {"kind": "smirk-encoder-1", "head": self.head}
        words |= {} if self.pixels == IMAGE_SIZE else {"pixels": str(self.pixels)}
        words |= {} if self.crop_scale == CROP_SCALE else {"crop": str(self.crop_scale)}
        return words | ({"points": ",".join(map(str, self.vertices))} if self.vertices else {})


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def checked_weights(
    tensors: Mapping[str, Array], *, head: str = OFFICIAL_HEAD, source: str = "the encoder", digest: str = "",
    pixels: int = IMAGE_SIZE, vertices: tuple[int, ...] = (), crop_scale: float = CROP_SCALE,
) -> Weights:  # fmt: skip
    """Weights from a checkpoint's tensors: all of them, of the right shapes, finite.

    Args:
        tensors: with the checkpoint's prefixes; the generator's are passed over. The extra layer may be there.
        head, source, digest, pixels, vertices, crop_scale: see :class:`Weights`.

    Raises:
        AssetError: something is missing, unexpected, of the wrong shape, or not a number; the line names it.
    """
    given = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
    extras = {k: given.pop(f"{EXTRA_LAYER}.{k}") for k in ("weight", "bias") if f"{EXTRA_LAYER}.{k}" in given}
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
    if pixels < 32 or IMAGE_SIZE % pixels:
        raise AssetError(f"{source} is made for pictures of {pixels} pixels, which {IMAGE_SIZE} is no multiple of.")
    layer = _checked_extras(extras, size, source)
    if layer and points_of(len(layer["bias"]), size.n_exp) != len(vertices):
        raise AssetError(f"{source} does not say which points of the head its extra layer speaks of.")
    return Weights(arrays, size, head, source, digest, b"", layer, pixels, vertices, crop_scale)


def point_vertices(words: Mapping[str, str]) -> tuple[int, ...]:
    """The dense points that a file's words name; () where they name none or nonsense."""
    parts = words.get("points", "").split(",")
    return tuple(int(p) for p in parts) if all(p.isdecimal() and len(p) < 8 for p in parts) else ()


def crop_scale_of(words: Mapping[str, str], source: str) -> float:
    """How large the crops are that a file's words ask for; SMIRK's own where they say nothing.

    Raises:
        AssetError: that is no size a crop could have.
    """
    text = words.get("crop", str(CROP_SCALE))
    try:
        scale = float(text[:12])
    except ValueError:
        scale = math.nan
    if not 0.5 <= scale <= 4.0:
        raise AssetError(f"{source} asks for crops of {text[:12]!r} sizes of a face; expected 0.5 to 4.")
    return scale


def _checked_extras(extras: dict[str, Array], size: EncoderSize, source: str) -> dict[str, Array]:
    """The extra layer in float32, {} where there is none.

    Raises:
        AssetError: it is incomplete, of the wrong shape, or not a number.
    """
    if not extras:
        return {}
    features = next(b.features for b in BRANCHES if b.name == "expression_encoder")
    try:
        weight, bias = extras["weight"], extras["bias"]
        points_of(len(bias), size.n_exp)
        fits = bias.ndim == 1 and weight.shape == (len(bias), features)
    except (KeyError, ValueError, TypeError):
        fits = False
    if not fits or not all(v.dtype.kind == "f" and np.isfinite(v).all() for v in extras.values()):
        raise AssetError(f"{source}: the layer '{EXTRA_LAYER}' is damaged or made for another head.")
    return {k: v.astype(np.float32) for k, v in extras.items()}


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
    pixels = words.get("pixels", str(IMAGE_SIZE))
    if not pixels.isdecimal() or len(pixels) > 4:
        raise AssetError(f"{path} does not say for how many pixels it is made: '{pixels}'.")
    return checked_weights(
        tensors, head=words.get("head", OFFICIAL_HEAD), source=path.name, digest=digest, pixels=int(pixels),
        vertices=point_vertices(words), crop_scale=crop_scale_of(words, path.name),
    )  # fmt: skip
