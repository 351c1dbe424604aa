# SPDX-License-Identifier: Apache-2.0
"""``python -m smirk_core`` is ``smirk``."""

import sys

from .cli import main

sys.exit(main())
