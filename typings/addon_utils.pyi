# SPDX-License-Identifier: Apache-2.0
# Blender's module ships without type information: everything in it is Any, only the names of the submodules count.
from typing import Any

def __getattr__(name: str) -> Any: ...
