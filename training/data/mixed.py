# SPDX-License-Identifier: Apache-2.0
"""Batches made of several sources, each with its fixed share: photos beside faces that were made.

In a configuration::

    data:
      source: mixed
      options:
        sources:
          - {source: faces, share: 0.5, options: {sets: [{kind: prepared, path: data/faces}]}}
          - {source: synthetic, share: 0.5}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from smirk_core.errors import TrainingError
from smirk_core.neural.paths import Batch

from .mix import composition
from .source import Request, open_source

__all__ = ["joined", "mixed"]


def joined(parts: Sequence[Batch]) -> Batch:
    """One batch of several.

    What only some know, the others get as zeros with a trust of 0: landmarks under their name, truth under
    ``truth_<group>``.
    """
    landmarks, truth, trust = dict[str, Tensor](), dict[str, Tensor](), dict[str, Tensor]()
    for name in sorted({n for p in parts for n in p.landmarks}):
        landmarks[name], weights = _known(parts, [p.landmarks.get(name) for p in parts])
        given = [_given(p.trust.get(name), w) for p, w in zip(parts, weights, strict=True)]
        widths = [g.shape[1] for g in given if g.ndim == 2]
        if widths:
            given = [g if g.ndim == 2 else g.unsqueeze(1).expand(-1, max(widths)) for g in given]
        trust[name] = torch.cat(given)
    for name in sorted({n for p in parts for n in p.truth}):
        truth[name], weights = _known(parts, [p.truth.get(name) for p in parts])
        key = f"truth_{name}"
        trust[key] = torch.cat([_given(p.trust.get(key), w) for p, w in zip(parts, weights, strict=True)])
    aligned = None
    if any(p.aligned is not None for p in parts):
        aligned, weights = _known(parts, [p.aligned for p in parts])
        trust["aligned"] = torch.cat([_given(p.trust.get("aligned"), w) for p, w in zip(parts, weights, strict=True)])
    return Batch(
        torch.cat([p.image for p in parts]), torch.cat([p.hull for p in parts]), landmarks, trust, truth, aligned
    )  # fmt: skip


def _known(parts: Sequence[Batch], values: Sequence[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
    """Values of all parts in one, zeros where unknown; and (B,) 1 or 0 for each part."""
    shapes = {tuple(v.shape[1:]) for v in values if v is not None}
    if len(shapes) != 1:
        raise TrainingError(f"The sources of a mix speak of different heads or landmarks: shapes {sorted(shapes)}.")
    shape = shapes.pop()
    none = [p.image.new_zeros(len(p), *shape) for p in parts]
    full = [zeros if v is None else v for zeros, v in zip(none, values, strict=True)]
    known = [p.image.new_full((len(p),), float(v is not None)) for p, v in zip(parts, values, strict=True)]
    return torch.cat(full), known


def _given(trust: Tensor | None, known: Tensor) -> Tensor:
    if trust is None:
        return known
    weight = trust.to(known.dtype)
    return weight * (known if weight.ndim == 1 else known[:, None])


def mixed(request: Request, *, sources: Sequence[Mapping[str, Any]]) -> Iterator[Batch]:
    """Batches without end, so many pictures of each source in every one; a source of :mod:`training.data.source`.

    Args:
        request: of the whole batch.
        sources: each with ``source``, its ``options`` and ``share`` of the batch (1 where not given).

    Raises:
        TrainingError: a source is unknown or gets no place in so small a batch, or the sources do not fit together.
    """
    if not sources:
        raise TrainingError("A mix needs sources: list one or more under 'sources'.")
    names = [str(words.get("source", "")) for words in sources]
    if "mixed" in names:
        raise TrainingError("A mix cannot hold a mix; list all sources in one.")
    for words in sources:
        if unknown := sorted(set(words) - {"source", "options", "share"}):
            raise TrainingError(f"A source of a mix has source, options and share, not '{unknown[0]}'.")
    counts = composition([float(words.get("share", 1.0)) for words in sources], request.batch)
    if min(counts) < 1:
        name = names[counts.index(min(counts))]
        raise TrainingError(f"A batch of {request.batch} has no place for the share of '{name}'.")
    opened = [
        open_source(name, replace(request, batch=count, seed=request.seed + 104_729 * place), words.get("options"))
        for place, (name, count, words) in enumerate(zip(names, counts, sources, strict=True))
    ]
    return (joined(parts) for parts in zip(*opened, strict=True))
