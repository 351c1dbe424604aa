# SPDX-License-Identifier: Apache-2.0
"""Fill banks for a while: whole shards, in several processes, until the time is over or all is there."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..data.bank import SHARD, write_bank

__all__ = ["fill", "is_filled"]


class _TimeUp(Exception):
    """No further shard is begun."""


def is_filled(folder: Path, source: str, count: int, seed: int) -> bool:
    """Whether a bank has its faces of a source."""
    return all((folder / f"{source}-{seed}-{k:05}.json").is_file() for k in range(-(-count // SHARD)))


def fill(
    folder: Path, source: str, count: int, *, size: int, seed: int, options: Mapping[str, Any], processes: int = 1,
    minutes: float = 1e9,
) -> bool:  # fmt: skip
    """Draw until there are ``count`` faces or the minutes are over; each process ends with a whole shard.

    Args:
        folder: of the bank.
        source, count, size, seed, options: see :func:`training.data.bank.write_bank`.
        processes: that draw, a core each.

    Returns:
        Whether all are there.

    Raises:
        TrainingError: the source cannot be drawn from, or the folder cannot be written.
    """
    if not is_filled(folder, source, count, seed):
        jobs = min(processes, -(-count // SHARD))
        asked = (folder, source, count, size, seed, dict(options), time.time() + 60 * minutes)
        if jobs <= 1:
            _part(0, 1, *asked)
        else:
            with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _quiet) as pool:
                for future in [pool.submit(_part, k, jobs, *asked) for k in range(jobs)]:
                    future.result()
    return is_filled(folder, source, count, seed)


def _quiet() -> None:
    torch.set_num_threads(1)


def _part(
    first: int, of: int, folder: Path, source: str, count: int, size: int, seed: int, options: dict[str, Any],
    until: float,
) -> None:  # fmt: skip
    """Every ``of``-th shard from ``first`` on, while there is time; at least one."""
    shards = 0

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal shards
        whole = (done - 1) // SHARD  # shards before the one that is drawn
        if whole > shards:
            shards = whole
            print(f"{stage}: {whole * SHARD:,} of {total or 0:,}", flush=True)
            if time.time() > until:
                raise _TimeUp

    with suppress(_TimeUp):
        write_bank(
            source, folder, count, size=size, seed=seed, options=options, part=(first, of), progress=progress
        )  # fmt: skip
