# SPDX-License-Identifier: Apache-2.0
"""Weights of the auxiliary networks from the user's files, strict, and without running anything in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...encoder.safetensors_file import from_safetensors
from ...encoder.torch_archive import from_torch
from ...errors import AssetError
from ...heads.safe_pickle import read_bytes

__all__ = ["Judge", "fill", "read_state"]

Array = npt.NDArray[Any]
# Training tools leave settings and callbacks of theirs beside the weights; those are passed over.
_INERT = ("pytorch_lightning", "lightning", "lightning_fabric", "omegaconf", "yacs", "typing", "pathlib", "argparse")


class Judge(nn.Module):
    """A network that only looks: no gradients on its weights, always in evaluation mode."""

    def train(self, mode: bool = True) -> Judge:
        """Stays in evaluation mode, whatever its owner does."""
        del mode
        return super().train(False)

    def settle(self) -> Judge:
        """Freeze; to be called when the weights are in."""
        self.requires_grad_(False)
        self.train(False)
        return self


def read_state(
    path: str | os.PathLike[str], wanted: Callable[[str], bool] = lambda name: True, *, entry: str = ""
) -> dict[str, Array]:
    """The tensors of a ``.pth``, ``.pt``, ``.tar``, ``.ckpt`` or ``.safetensors`` file.

    Args:
        path: the file.
        wanted: which names to read.
        entry: the dictionary inside, where the file holds several; a file that is that dictionary itself will do too.

    Raises:
        AssetError: missing, damaged, hostile, or with objects that cannot be passed over; the line says what to do.
    """
    data = read_bytes(path)
    if Path(path).suffix == ".safetensors":
        try:
            arrays, _ = from_safetensors(data)
        except ValueError as error:
            raise AssetError(f"{path} is not a safetensors file, or it is damaged: {error}.") from error
        return {name: values for name, values in arrays.items() if wanted(name)}
    try:
        return from_torch(data, str(path), wanted, entry=entry, inert=_INERT)
    except AssetError as error:
        key = f"['{entry}']" if entry else ""
        raise AssetError(
            f"{error} If you trust the file, save its tensors alone with torch: "
            f"torch.save(torch.load(FILE, weights_only=False, map_location='cpu'){key}, NEW_FILE)."
        ) from error


def fill(module: nn.Module, arrays: Mapping[str, Array], source: str) -> None:
    """Put arrays into a module, all of them and of the right shapes.

    Raises:
        AssetError: one is missing, unexpected, of another shape or not finite; the line names it.
    """
    wanted = module.state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [n for n in wanted if n not in arrays and n not in counters]
    if missing:
        raise AssetError(f"{source} lacks {len(missing)} of the network's {len(wanted)} tensors, such as {missing[0]}.")
    unexpected = [n for n in arrays if n not in wanted]
    if unexpected:
        raise AssetError(f"{source} holds {len(unexpected)} tensors that the network has not, such as {unexpected[0]}.")
    for name, place in wanted.items():
        if name not in arrays:
            continue
        values = arrays[name]
        if tuple(values.shape) != tuple(place.shape):
            raise AssetError(f"{source}: {name} has the shape {values.shape}; expected {tuple(place.shape)}.")
        if values.dtype.kind not in "fi" or not np.isfinite(values).all():
            raise AssetError(f"{source}: {name} holds values that are not finite numbers.")
    state = {n: torch.from_numpy(np.array(v)).to(wanted[n].dtype) for n, v in arrays.items()}
    module.load_state_dict(wanted | state, strict=True)
