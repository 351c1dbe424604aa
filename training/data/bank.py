# SPDX-License-Identifier: Apache-2.0
"""A bank of drawn faces: pictures with exact truth, made once and kept on disk, read many times.

    python -m training.data.bank reposed -o BANK --count 100000 --option fits=FITS.npz faces=FACES

Drawing a face costs as much as learning from it twice; a bank pays that once, and readers may start while it still
grows. Shards are whole or not there. A shard is named after its source, seed and number, so that a run that was
stopped goes on, several processes share the work by ``--part k/n``, and several sources share a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head
from smirk_core.progress import Progress, silent

from .source import Request, open_source

__all__ = ["SHARD", "TRUTH", "Bank", "main", "write_bank"]

SHARD = 2048  # faces in a file
TRUTH = ("identity", "rotation", "camera", "jaw", "eyes", "eyelids", "expression")
_BATCH = 32
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Bank:
    """Faces of a folder, as far as they are there now.

    Attributes:
        pictures: per shard (N, 3, S, S) uint8, mapped from disk.
        truth: group -> (sum of N, size) float32, in the order of the shards.
        source: (sum of N,) index into ``sources``.
        sources: names.
    """

    pictures: tuple[Array, ...]
    truth: dict[str, Array]
    source: Array
    sources: tuple[str, ...]

    @staticmethod
    def open(folder: Path) -> Bank:
        """All shards of a folder.

        Raises:
            TrainingError: there is none, one is damaged, or they do not go together.
        """
        pictures, groups, origin, names = [], [], [], []
        for path in sorted(folder.glob("*.json")):
            try:
                name = json.loads(path.read_text(encoding="utf-8"))["source"]
                mapped = np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
                with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
                    values = {n: file[n] for n in TRUTH}
            except (OSError, ValueError, KeyError) as error:
                raise TrainingError(f"{path} is no whole shard of a bank ({error}); delete it.") from error
            if pictures and mapped.shape[1:] != pictures[0].shape[1:]:
                raise TrainingError(f"{folder} holds pictures of several sizes.")
            if name not in names:
                names.append(name)
            pictures.append(mapped)
            groups.append(values)
            origin.append(np.full(len(mapped), names.index(name)))
        if not pictures:
            raise TrainingError(f"There are no faces in {folder} yet; make some with 'python -m training.data.bank'.")
        # Fits of portraits have fewer identity components than drawn people: the others are 0.
        width = max(g["identity"].shape[1] for g in groups)
        for values in groups:
            short = width - values["identity"].shape[1]
            values["identity"] = np.pad(values["identity"], ((0, 0), (0, short)))
        truth = {n: np.concatenate([g[n] for g in groups]) for n in TRUTH}
        return Bank(tuple(pictures), truth, np.concatenate(origin), tuple(names))

    def __len__(self) -> int:
        return len(self.source)

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return self.pictures[0].shape[-1]

    def images(self, rows: Array) -> torch.Tensor:
        """(B, 3, S, S) uint8 of rows (B,)."""
        starts = np.cumsum([0, *(len(p) for p in self.pictures)])
        shard = np.searchsorted(starts, rows, side="right") - 1
        out = np.empty((len(rows), *self.pictures[0].shape[1:]), np.uint8)
        for k in np.unique(shard):
            here = np.flatnonzero(shard == k)
            order = here[np.argsort(rows[here])]  # along the file
            out[order] = self.pictures[k][rows[order] - starts[k]]
        return torch.from_numpy(out)

    def groups(self, rows: Array) -> dict[str, torch.Tensor]:
        """Truth of rows (B,), float32 (B, size) each."""
        return {n: torch.from_numpy(v[rows]) for n, v in self.truth.items()}


def write_bank(
    source: str,
    folder: Path,
    count: int,
    *,
    size: int = 112,
    seed: int = 0,
    head: str = "open",
    options: Mapping[str, Any] | None = None,
    part: tuple[int, int] = (0, 1),
    training: bool = True,
    progress: Progress = silent,
) -> int:
    """Fill a folder up to ``count`` faces of a source; what is there is kept. Returns how many it drew.

    Args:
        source, options: see :func:`training.data.source.open_source`.
        part: (k, n) draws every n-th shard from the k-th on.

    Raises:
        TrainingError: the source gives no exact truth, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(part[0], -(-count // SHARD), part[1])
    todo = [k for k in shards if not (folder / f"{source}-{seed}-{k:05}.json").is_file()]
    drawn = 0
    batches = None
    for done, number in enumerate(todo):
        per = SHARD // _BATCH
        wanted = min(SHARD, count - number * SHARD)
        request = Request(size, _BATCH, seed, number * per, device="cpu", head=head, training=training)
        if batches is None or done == 0 or todo[done - 1] + 1 != number:
            batches = open_source(source, request, options)
        images, truth = np.empty((wanted, 3, size, size), np.uint8), {n: [] for n in TRUTH}
        for k in range(per):
            batch = next(batches)
            missing = set(TRUTH) - set(batch.truth)
            if missing:
                raise TrainingError(f"The source '{source}' does not know the {', '.join(sorted(missing))}.")
            rows = slice(k * _BATCH, min((k + 1) * _BATCH, wanted))
            left = max(0, rows.stop - rows.start)
            images[rows] = (batch.image[:left] * 255 + 0.5).to(torch.uint8).numpy()
            for name, values in truth.items():
                values.append(batch.truth[name][:left].numpy())
            progress(f"Drawing {source}", (done * per + k + 1) * _BATCH, len(todo) * SHARD)
            if rows.stop >= wanted:
                break
        base = folder / f"{source}-{seed}-{number:05}"
        try:
            with atomic(base.with_suffix(".npy")) as path, path.open("wb") as file:
                np.save(file, images, allow_pickle=False)
            with atomic(base.with_suffix(".npz")) as path, path.open("wb") as file:
                np.savez(file, **{n: np.concatenate(v).astype(np.float32) for n, v in truth.items()})
            words = {"source": source, "seed": seed, "faces": wanted, "head": load_head(head).name}
            with atomic(base.with_suffix(".json")) as path:  # last: it says that the other two are whole
                path.write_text(json.dumps(words), encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"Cannot write {base}: {error.strerror or error}.") from error
        drawn += wanted
    return drawn


def _option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m training.data.bank", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--head", default="open")
    parser.add_argument("--part", default="0/1", help="k/n: every n-th shard from the k-th on")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--option", nargs="*", type=_option, default=[], metavar="NAME=VALUE")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    first, of = (int(n) for n in given.part.split("/"))
    start, last = time.monotonic(), 0.0

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 10 or done == total:
            last = now
            print(f"{stage}: {done:,} of {total or 0:,}, {done / max(now - start, 1e-9):.0f}/s", flush=True)

    try:
        write_bank(
            given.source, given.output, given.count, size=given.size, seed=given.seed, head=given.head,
            options=dict(given.option), part=(first, of), progress=progress,
        )  # fmt: skip
    except SmirkError as error:
        print(f"bank: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; whole shards are kept.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
