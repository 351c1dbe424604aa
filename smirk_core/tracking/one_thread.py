# SPDX-License-Identifier: Apache-2.0
"""Matrix products on one thread: the solve has threads of its own, and small products are slower on several."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_blas_thread"]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it, BLAS libraries that are loaded by now use one thread."""
    with _limits()(1, "blas"):
        yield


def _limits():
    """``threadpool_limits``, imported without a bytecode file.

    The package is a lone module beside other packages. When the add-on is removed, Blender removes what the wheel
    listed, and a file in the ``__pycache__`` that such modules share would stay behind.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        from threadpoolctl import threadpool_limits
    finally:
        sys.dont_write_bytecode = before
    return threadpool_limits
