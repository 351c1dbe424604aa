# SPDX-License-Identifier: Apache-2.0
"""Random batches of a bank on the device that learns; on a card, read while the last one is learned from."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.errors import TrainingError

from ..data.bank import Bank

__all__ = ["Read", "Reader"]

Read = tuple[Tensor, dict[str, Tensor]]
_LOOK_AGAIN = 120.0  # seconds between looks for new shards


class Reader:
    """Which faces a step learns from follows from the seed, the step and the faces that are there.

    Args:
        folder: of the bank; shards that appear later are used too.
        batch: faces a step.
        seed: of the choice.
        device: where batches go.
        only: one source of the bank; all where empty.
        ahead: read the next batch in a thread of its own, through pinned memory where there is a CUDA card. Pays
            where the processor has nothing else to do.

    Raises:
        TrainingError: there are no such faces.
    """

    def __init__(
        self, folder: Path, batch: int, *, seed: int = 0, device: torch.device | str = "cpu", only: str = "",
        ahead: bool | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.batch, self.seed, self.only = folder, batch, seed, only
        self.device = torch.device(device)
        self.ahead = self.device.type != "cpu" if ahead is None else ahead
        self._thread = ThreadPoolExecutor(1) if self.ahead else None
        self._waiting: tuple[int, Future[Read]] | None = None
        self._open()

    def _open(self) -> None:
        self.bank = Bank.open(self.folder)
        self.rows = rows_of(self.bank, self.only)
        self._looked = time.monotonic()

    def __call__(self, step: int) -> Read:
        """Pictures (B, 3, S, S) uint8 and their groups (B, size) of a step."""
        if self._thread is None:
            read = self._read(step)
        else:
            if self._waiting is None or self._waiting[0] != step:
                self._waiting = step, self._thread.submit(self._read, step)
            read = self._waiting[1].result()
            self._waiting = step + 1, self._thread.submit(self._read, step + 1)
        pictures, groups = read
        if self.device.type == "cpu":
            return pictures, groups
        there = {n: v.to(self.device, non_blocking=True) for n, v in groups.items()}
        return pictures.to(self.device, non_blocking=True), there

    def _read(self, step: int) -> Read:
        if time.monotonic() - self._looked > _LOOK_AGAIN:
            self._open()
        picked = self.rows[np.random.default_rng((self.seed, step)).integers(len(self.rows), size=self.batch)]
        pictures, groups = self.bank.images(picked), self.bank.groups(picked)
        if self.device.type == "cuda":  # only pinned memory is copied while the card works
            return pictures.pin_memory(), {n: v.pin_memory() for n, v in groups.items()}
        return pictures, groups

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)


def rows_of(bank: Bank, only: str) -> npt.NDArray[np.int64]:
    """Numbers of the faces of one source, or of all.

    Raises:
        TrainingError: there are none of it.
    """
    if not only:
        return np.arange(len(bank))
    if only not in bank.sources:
        raise TrainingError(f"The bank has no faces of '{only}'; there are {', '.join(bank.sources)}.")
    return np.flatnonzero(bank.source == bank.sources.index(only))
