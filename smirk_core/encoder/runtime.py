# SPDX-License-Identifier: Apache-2.0
"""A batch of crops to parameters, on whatever engine is here, behind one interface."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from ..user_assets import find
from .architecture import CROP_SCALE, IMAGE_SIZE, EncoderSize
from .checkpoint import OFFICIAL_HEAD, SUFFIXES, Weights, crop_scale_of, load_weights, point_vertices
from .extras import ExtraOutput, extra_outputs
from .ort_engine import PROVIDERS, OrtEngine, available_providers

__all__ = [
    "BUNDLED_ENCODER_PATH",
    "DEVICES",
    "PRECISIONS",
    "Encoder",
    "Engine",
    "check_head",
    "encoder_report",
    "find_encoder",
    "load_encoder",
    "make_encoder",
    "usual_encoder",
]

Array = npt.NDArray[Any]
BUNDLED_ENCODER_PATH = Path(__file__).parent.parent / "assets" / "encoder.onnx"
DEVICES = ("auto", "cpu", "cuda", "mps", "coreml", "directml")
PRECISIONS = ("float32", "float16", "bfloat16")
_BATCH = 32


class Engine(Protocol):
    """Runs the network."""

    name: str

    def run(self, images: Array) -> dict[str, Array]:
        """(N, 3, 224, 224) float32 RGB in [0, 1] to SMIRK's dictionary of (N, size) float32 arrays."""
        ...

    def encode(self, crops: Array) -> dict[str, Array]:
        """(N, 224, 224, 3) uint8 RGB to the same."""
        ...


@dataclass(frozen=True)
class Encoder:
    """An encoder that is ready to run.

    Attributes:
        name: file name of its weights, or "bundled".
        digest: SHA-256 of that file.
        head: name of the head model that its coefficients belong to.
        size: how many identity and expression coefficients.
        engine: what runs it.
        batch: crops that are run at once at most.
        extras: what it says beyond SMIRK's six outputs.
        vertices: (P,) of the head, the dense points; () where it has none.
        crop_scale: side of the crops it wants, in sizes of the landmarks' box.
    """

    name: str
    digest: str
    head: str
    size: EncoderSize
    engine: Engine
    batch: int = _BATCH
    extras: tuple[ExtraOutput, ...] = ()
    vertices: tuple[int, ...] = ()
    crop_scale: float = CROP_SCALE

    @property
    def outputs(self) -> dict[str, int]:
        """Name and size of everything that :meth:`encode` gives."""
        return {o.name: o.size for o in (*self.size.outputs, *self.extras)}

    def encode(self, crops: Array) -> dict[str, Array]:
        """Crops of faces to SMIRK's outputs.

        Args:
            crops: (N, 224, 224, 3) uint8 RGB, cut as by :func:`smirk_core.tracking.crop.crop_transform` at
                :attr:`crop_scale`.

        Returns:
            float32 arrays: ``pose_params`` (N, 3) head rotation vector; ``cam`` (N, 3) scale and shift of the crop
            camera; ``shape_params`` (N, n_shape); ``expression_params`` (N, n_exp); ``eyelid_params`` (N, 2) left and
            right in [0, 1]; ``jaw_params`` (N, 3) rotation vector. And those of
            :func:`smirk_core.encoder.extras.extra_outputs` where the encoder has them.

        Raises:
            ValueError: the crops have another shape or type.
        """
        if crops.ndim != 4 or crops.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE, 3) or crops.dtype != np.uint8:
            raise ValueError(f"expected (N, {IMAGE_SIZE}, {IMAGE_SIZE}, 3) uint8, got {crops.shape} {crops.dtype}")
        parts = [self.engine.encode(crops[i : i + self.batch]) for i in range(0, len(crops), self.batch)]
        if not parts:
            return {name: np.zeros((0, size), np.float32) for name, size in self.outputs.items()}
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def describe(self) -> str:
        """One line for people."""
        return f"{self.name} ({self.digest[:12]}) for {self.head} on {self.engine.name}"


def load_encoder(
    source: str | os.PathLike[str] = "bundled",
    device: str = "auto",
    head: HeadModel | None = None,
    *,
    precision: str = "float32",
    threads: int = 1,
    batch: int = _BATCH,
) -> Encoder:
    """An encoder from a file.

    Args:
        source: "bundled", "smirk" (an imported checkpoint), or a ``.pt`` (SMIRK's own), ``.safetensors`` or ``.onnx``
            file.
        device: "cpu", "cuda", "mps", "coreml", "directml"; "auto": a CUDA card where one is, else the processor.
        head: the head that the outputs are meant for; checked to fit.
        precision: "float16" and "bfloat16" are for CUDA on torch and trade accuracy for speed.
        threads: of the processor, for ONNX Runtime.
        batch: crops at once at most.

    Raises:
        AssetError: the file cannot be used, does not fit the head, or no engine can run it there.
    """
    weights = load_weights(find_encoder(source))
    encoder = make_encoder(
        replace(weights, source="bundled") if str(source) == "bundled" else weights,
        device, precision=precision, threads=threads, batch=batch,
    )  # fmt: skip
    if head is not None:
        check_head(encoder, head)
    return encoder


def usual_encoder(head: HeadModel) -> str:
    """What "auto" means: "bundled" where our encoder knows this head and an engine for it is installed, else "none"."""
    if not head.name.startswith("open") or not BUNDLED_ENCODER_PATH.is_file() or not available_providers():
        return "none"
    return "bundled"


def find_encoder(source: str | os.PathLike[str]) -> Path:
    """The file that "bundled", "smirk" (the user's imported checkpoint) or a path means. Nothing is opened.

    Raises:
        AssetError: there is none, or it cannot be an encoder by its name.
    """
    if str(source) == "bundled":
        if not BUNDLED_ENCODER_PATH.is_file():
            raise AssetError(
                "The bundled image encoder is missing from this installation; install it anew, use --encoder none, or "
                "name a file of your own (SMIRK_em1.pt with --head generic_model.pkl)."
            )
        return BUNDLED_ENCODER_PATH
    if str(source) == "smirk":
        found = find("smirk-checkpoint")
        if found is None:
            raise AssetError("No checkpoint of SMIRK's has been imported; import it with 'smirk assets import FOLDER'.")
        return found
    path = Path(source)
    if path.suffix not in SUFFIXES:
        raise AssetError(
            f"{path} is not an encoder: give none, bundled, smirk (an imported checkpoint), or a file: .pt (SMIRK's "
            "own), .safetensors or .onnx."
        )
    if not path.is_file():
        raise AssetError(f"There is no encoder file {path}.")
    return path


def make_encoder(
    weights: Weights, device: str = "auto", *, precision: str = "float32", threads: int = 1, batch: int = _BATCH
) -> Encoder:
    """An encoder from weights. Arguments and errors as for :func:`load_encoder`."""
    if device not in DEVICES or precision not in PRECISIONS:
        raise AssetError(
            f"There is no device '{device}' with '{precision}'; there are {', '.join(DEVICES)} and "
            f"{', '.join(PRECISIONS)}."
        )
    engine = _engine(weights, device, precision, threads)
    about = _About(weights.size, weights.head, weights.extra_outputs, weights.vertices, weights.crop_scale)
    if isinstance(engine, OrtEngine) and not weights.arrays:
        about = _described(engine, weights.source)
    return Encoder(
        weights.source, weights.digest, about.head, about.size, engine, batch, about.extras, about.vertices,
        about.crop_scale,
    )  # fmt: skip


def check_head(encoder: Encoder, head: HeadModel) -> None:
    """Make sure that an encoder speaks of this head.

    Raises:
        AssetError: it was trained with another, or gives more coefficients than the head has.
    """
    size = encoder.size
    same = head.name.lower().startswith(encoder.head.lower())
    if not same or size.n_exp > head.expression_size or size.n_shape > head.identity_size:
        hint = " (give --head with your FLAME file)" if encoder.head == OFFICIAL_HEAD else ""
        raise AssetError(
            f"The encoder {encoder.name} was trained with the head '{encoder.head}' ({size.n_shape} identity and "
            f"{size.n_exp} expression coefficients); it does not fit '{head.name}' ({head.identity_size} and "
            f"{head.expression_size}){hint}."
        )


def encoder_report() -> str:
    """Which engines could run an encoder here, for ``smirk doctor`` and the preferences."""
    found = []
    providers = available_providers()
    if providers:
        import onnxruntime

        labels = ", ".join(PROVIDERS[p][1] for p in providers)
        found.append(f"ONNX Runtime {onnxruntime.__version__} ({labels})")
    if importlib.util.find_spec("torch") is not None:
        found.append(f"torch {importlib.metadata.version('torch')}")
    weights = "bundled weights" if BUNDLED_ENCODER_PATH.is_file() else "no bundled weights, bring SMIRK_em1.pt"
    if not found:
        raise ImportError(f"no engine: pip install onnxruntime ({weights})")
    return f"{', '.join(found)}; {weights}"


def _engine(weights: Weights, device: str, precision: str, threads: int) -> Engine:
    providers = available_providers()
    torch_here = importlib.util.find_spec("torch") is not None
    if precision != "float32" and device in ("auto", "cpu") and not (torch_here and weights.arrays):
        raise AssetError(f"{precision} needs torch; use float32.")
    if device == "auto":
        # A card that is there but cannot be used must not keep anybody from working.
        for attempt in ("cuda",) if _nvidia_driver() and precision == "float32" else ():
            try:
                return _engine(weights, attempt, precision, threads)
            except AssetError:
                break
        device = "cpu"
    if precision == "float32" and device in providers:
        return OrtEngine(weights, device, threads)
    if device in ("cpu", "cuda", "mps") and torch_here:
        from .torch_engine import TorchEngine

        return TorchEngine(weights, device, precision)
    if device == "cpu":
        raise AssetError("No engine for the encoder is installed: pip install onnxruntime (or torch).")
    needed = {"cuda": "onnxruntime-gpu or torch with CUDA", "mps": "torch", "coreml": "onnxruntime on a Mac"}
    raise AssetError(
        f"Nothing here can run the encoder on {device}; it needs {needed.get(device, 'onnxruntime-directml')}. "
        "Use --device auto."
    )


def _nvidia_driver() -> bool:
    """Whether an NVIDIA driver is installed: a look that costs no import of torch."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


class _About(NamedTuple):
    """What an encoder says of itself; see :class:`Encoder`."""

    size: EncoderSize
    head: str
    extras: tuple[ExtraOutput, ...]
    vertices: tuple[int, ...]
    crop_scale: float


def _described(engine: OrtEngine, source: str) -> _About:
    """What an ``.onnx`` file gives, from its own description.

    Raises:
        AssetError: it is no encoder.
    """
    inputs, outputs, words = engine.signature
    extras: tuple[ExtraOutput, ...] = ()
    vertices: tuple[int, ...] = ()
    try:
        (image,) = inputs.values()
        size = EncoderSize(*(int(outputs[name][1][1]) for name in ("shape_params", "expression_params")))
        fits = "image" in inputs and image[0] == "tensor(float)" and image[1][1:] == [3, IMAGE_SIZE, IMAGE_SIZE]
        fits = fits and all(
            outputs[o.name][0] == "tensor(float)" and outputs[o.name][1][1:] == [o.size] for o in size.outputs
        )
        fits = fits and not isinstance(image[1][0], int)
        if "point_sigma" in outputs:
            extras = extra_outputs(size.n_exp, int(outputs["point_sigma"][1][1]))
            vertices = point_vertices(words)
            fits = fits and len(vertices) == outputs["point_sigma"][1][1]
            fits = fits and all(list(outputs[o.name][1][1:]) == [o.size] for o in extras)
    except (KeyError, ValueError, TypeError, IndexError):
        fits, size = False, EncoderSize()
    if not fits:
        raise AssetError(
            f"{source} is not an encoder: expected the input 'image' (N, 3, {IMAGE_SIZE}, {IMAGE_SIZE}) and "
            f"the outputs {', '.join(o.name for o in EncoderSize().outputs)}."
        )
    return _About(size, words.get("head", OFFICIAL_HEAD), extras, vertices, crop_scale_of(words, source))
