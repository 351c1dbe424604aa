# SPDX-License-Identifier: Apache-2.0
"""A take as JSON: header, time stamps, the 52 curves by name, angles, and every parameter group."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..heads.head_model import HeadModel
from ..take import Take
from .atomic import atomic
from .curves import curves_of

__all__ = ["write_json"]


def write_json(take: Take, head: HeadModel, path: str | os.PathLike[str], *, raw: bool = False) -> Path:
    """Write ``path``: ``info``, ``times`` (s), ``curves`` {name: [N]}, ``identity`` [K], ``groups`` {name: [N][size]}.

    Curves are weights (see :class:`smirk_core.export.curves.Curves`) and angles in radians, by name; ``groups`` are
    the take's own numbers with the names of the head's expressions beside them.

    Raises:
        TakeError: the take was made with another head. ExportError: the file cannot be written.
    """
    curves = curves_of(take, head, raw=raw)
    rounded = np.round(curves.table, 6)
    document = {
        "format": "smirk-take-json",
        "version": 1,
        "info": asdict(take.info),
        "times": np.round(curves.times, 6).tolist(),
        "curves": {name: rounded[:, i].tolist() for i, name in enumerate(curves.names)},
        "identity": np.round(take.identity, 6).tolist(),
        "expression_names": list(head.expression_names),
        "groups": {k: np.round(v, 6).tolist() for k, v in (take.raw if raw else take.filtered).items()},
    }
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return Path(path)
