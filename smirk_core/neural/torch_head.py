# SPDX-License-Identifier: Apache-2.0
"""A head model as torch tensors, so that :func:`smirk_core.heads.decode.decode` runs on any device with gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ..heads.head_model import HeadModel

__all__ = ["torch_head"]

_ARRAYS = (
    "template", "identity_basis", "expression_basis", "eyelid_basis", "corrective_basis",
    "joint_regressor", "skinning_weights",
)  # fmt: skip


def torch_head(
    model: HeadModel,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    expressions: int | None = None,
) -> HeadModel:
    """The same head with its arrays as tensors; index tables stay NumPy.

    Args:
        model: any head, as loaded.
        device, dtype: of the tensors; what ``decode`` returns has them too.
        expressions: keep that many of the expressions, all where not given.
    """
    arrays: dict[str, Any] = {n: torch.as_tensor(getattr(model, n), device=device, dtype=dtype) for n in _ARRAYS}
    if expressions is not None:
        arrays["expression_basis"] = arrays["expression_basis"][:expressions]
        arrays["expression_names"] = model.expression_names[:expressions]
    return replace(model, **arrays)
