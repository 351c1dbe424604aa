# SPDX-License-Identifier: Apache-2.0
"""Pictures with known truth: rendered heads and re-posed portraits, and what a detector sees in them."""

from __future__ import annotations

# name in a configuration -> "module:function"; see :mod:`training.data.source` for what the function takes and gives.
SOURCES: dict[str, str] = {
    "faces": "training.data.datasets:faces",
    "mixed": "training.data.mixed:mixed",
    "plain": "training.data.plain:plain",
    "synthetic": "training.data.synthetic:synthetic",
    "reposed": "training.data.reposed:reposed",
}
