# SPDX-License-Identifier: Apache-2.0
"""Detail of the skin that follows the expression: wrinkle groups in UV space, and what one person's skin has."""

from __future__ import annotations

from .person import PersonDetail, load_person_detail

__all__ = ["PersonDetail", "load_person_detail"]
