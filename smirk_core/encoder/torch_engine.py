# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingImports=false
"""The encoder on torch: for NVIDIA cards (cuda), Apple's (mps), and processors where ONNX Runtime is missing."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ..errors import AssetError
from .architecture import IMAGE_SIZE, same_padding
from .checkpoint import Weights
from .folding import FoldedBlock, FoldedBranch, fold

__all__ = ["TorchEngine"]

Array = npt.NDArray[Any]
Tensor = Any
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class TorchEngine:
    """See :class:`smirk_core.encoder.runtime.Engine`. Batch normalisation is folded in, pictures are channels-last.

    Args:
        weights: with arrays, so none of an ``.onnx`` file.
        device: "cpu", "cuda" or "mps".
        precision: of convolutions and features; the linear layers and all outputs are float32. Measured on random
            weights (tests/encoder): see docs/performance.md.

    Raises:
        AssetError: the device is not here, or there are no weights.
    """

    def __init__(self, weights: Weights, device: str = "cpu", precision: str = "float32") -> None:
        if not weights.arrays:
            raise AssetError(
                f"{weights.source} is an ONNX graph, which torch cannot run; use the .pt or .safetensors file, "
                "or --device cpu."
            )
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not there.get(device, False):
            raise AssetError(f"torch {torch.__version__} finds no {device} device here; use --device cpu.")
        self._size, self._dtype = weights.size, _DTYPES[precision]
        self._device = torch.device(device)
        self._branches = fold(weights.arrays, weights.size)
        self._tensors: dict[int, Tensor] = {}
        for branch in self._branches:
            for conv in (c for block in branch.blocks for c in block.convs):
                self._put(conv.weight, self._dtype)
                self._put(conv.bias, self._dtype)
            self._put(branch.weight, torch.float32)
            self._put(branch.bias, torch.float32)
        self._extras, self._zoom = weights.extra_outputs, IMAGE_SIZE // weights.pixels
        self._extra_layer = tuple(
            torch.from_numpy(weights.extras[k]).to(self._device) for k in ("weight", "bias") if weights.extras
        )
        self._bounds = {
            o.name: tuple(torch.tensor(b, device=self._device) for b in (o.low, o.high) if b is not None)
            for o in weights.size.outputs
        }
        kind = "" if precision == "float32" else f" {precision}"
        where = torch.cuda.get_device_name() if device == "cuda" else device.upper()
        self.name = f"torch {torch.__version__} {where}{kind}"

    def _put(self, values: Array, dtype: Any) -> None:
        tensor = torch.from_numpy(values).to(self._device, dtype)
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        self._tensors[id(values)] = tensor

    def _block(self, block: FoldedBlock, x: Tensor) -> Tensor:
        y = x
        for conv in block.convs:
            unit = conv.unit
            rows, columns = (same_padding(n, unit.kernel, unit.stride) for n in y.shape[-2:])
            padding: Any = 0
            if rows[0] == rows[1] and columns[0] == columns[1]:
                padding = (rows[0], columns[0])
            else:
                y = functional.pad(y, (*columns, *rows))
            y = functional.conv2d(
                y, self._tensors[id(conv.weight)], self._tensors[id(conv.bias)], unit.stride, padding, 1, unit.groups
            )
            if unit.relu:
                y = y.relu_()
        return x + y if block.skip else y

    def _features(self, branch: FoldedBranch, x: Tensor) -> Tensor:
        for block in branch.blocks:
            x = self._block(block, x)
        return x.mean(dim=(2, 3), dtype=torch.float32)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, 224, 224) on the device, in [0, 1], to SMIRK's dictionary and the extras on the device, float32.

        Made of fixed shapes and no waiting, so that a CUDA graph can hold it.
        """
        x = images.to(self._dtype).contiguous(memory_format=torch.channels_last)
        if self._zoom > 1:
            x = functional.avg_pool2d(x, self._zoom)
        features = {branch.branch.name: self._features(branch, x) for branch in self._branches}
        values = {
            b.branch.name: functional.linear(
                features[b.branch.name], self._tensors[id(b.weight)], self._tensors[id(b.bias)]
            )
            for b in self._branches
        }
        out = {}
        for o in self._size.outputs:
            out[o.name] = values[o.branch][:, slice(*o.rows)]
            if bounds := self._bounds[o.name]:
                out[o.name] = torch.clamp(out[o.name], *bounds)
        if self._extras:
            said = functional.linear(features["expression_encoder"], *self._extra_layer)
            shape = {"linear": lambda v: v, "exp": torch.exp, "sigmoid": torch.sigmoid}
            out |= {o.name: shape[o.kind](said[:, slice(*o.rows)]) for o in self._extras}
        return out

    def pixels(self, crops: Tensor) -> Tensor:
        """(N, 224, 224, 3) uint8 on the device to what :meth:`forward` takes."""
        return crops.permute(0, 3, 1, 2).to(torch.float32) / 255

    def exact(self) -> Any:
        """TensorFloat-32 would err by 1e-3 where float32 is asked for."""
        if self._device.type == "cuda":
            return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        return contextlib.nullcontext()

    def run(self, images: Array) -> dict[str, Array]:
        with torch.inference_mode(), self.exact():
            out = self.forward(torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(self._device))
            return {k: v.cpu().numpy() for k, v in out.items()}

    def encode(self, crops: Array) -> dict[str, Array]:
        with torch.inference_mode(), self.exact():
            there = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
            return {k: v.cpu().numpy() for k, v in self.forward(self.pixels(there)).items()}
