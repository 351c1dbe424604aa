# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingImports=false
"""The encoder on ONNX Runtime: the default engine; on processors, and on graphics cards where its package has them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .architecture import IMAGE_SIZE
from .checkpoint import Weights

__all__ = ["PROVIDERS", "OrtEngine", "available_providers"]

# Wheels from 1.29 on, which a person may have, report their use to their maker unless told not to before they load.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
Array = npt.NDArray[Any]
# device -> what ONNX Runtime calls it, and what people do
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "cpu": ("CPUExecutionProvider", "CPU"),
    "cuda": ("CUDAExecutionProvider", "CUDA"),
    "coreml": ("CoreMLExecutionProvider", "CoreML"),
    "directml": ("DmlExecutionProvider", "DirectML"),
}


def available_providers() -> tuple[str, ...]:
    """Devices that the installed ONNX Runtime was built for; none where it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    import onnxruntime

    known = onnxruntime.get_available_providers()
    return tuple(device for device, (provider, _) in PROVIDERS.items() if provider in known)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class OrtEngine:
    """See :class:`smirk_core.encoder.runtime.Engine`.

    Args:
        weights: any.
        device: a key of :data:`PROVIDERS`.
        threads: of the processor; one leaves the others to the face detector and to Blender.

    Raises:
        AssetError: ONNX Runtime does not start, or cannot use the file or the device.
    """

    def __init__(self, weights: Weights, device: str = "cpu", threads: int = 1) -> None:
        try:
            import onnxruntime
        except Exception as error:
            raise AssetError(
                f"ONNX Runtime is not installed or does not start ({error}): pip install onnxruntime."
            ) from error
        provider, label = PROVIDERS[device]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what matters is raised
        try:
            self._session = onnxruntime.InferenceSession(
                weights.to_onnx(),
                options,
                providers=list(dict.fromkeys([provider, PROVIDERS["cpu"][0]])),
                enable_fallback=0,  # it would print, and try the same again
            )
        except Exception as error:
            raise AssetError(
                f"ONNX Runtime cannot use {weights.source or 'the encoder'} on {label}: {_short(error)}"
            ) from error
        if self._session.get_providers()[0] != provider:  # it falls back to the processor without a word
            raise AssetError(f"ONNX Runtime finds no {label} device here; use --device cpu.")
        self.name = f"ONNX Runtime {onnxruntime.__version__} {label}"

    @property
    def signature(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
        """Shapes of inputs and outputs by name, and the words that the file carries."""
        session = self._session
        inputs = {v.name: (v.type, v.shape) for v in session.get_inputs()}
        outputs = {v.name: (v.type, v.shape) for v in session.get_outputs()}
        return inputs, outputs, dict(session.get_modelmeta().custom_metadata_map)

    def run(self, images: Array) -> dict[str, Array]:
        names = [v.name for v in self._session.get_outputs()]
        try:
            values = self._session.run(names, {"image": np.ascontiguousarray(images, np.float32)})
        except Exception as error:  # a damaged graph can open and only fail where its parts meet
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise AssetError(f"The encoder file is damaged, or there is not enough memory: {first}.") from error
        return dict(zip(names, (np.asarray(v) for v in values), strict=True))

    def encode(self, crops: Array) -> dict[str, Array]:
        images = np.empty((len(crops), 3, IMAGE_SIZE, IMAGE_SIZE), np.float32)
        np.divide(np.transpose(crops, (0, 3, 1, 2)), np.float32(255), out=images)
        return self.run(images)
