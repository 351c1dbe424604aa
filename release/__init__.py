# SPDX-License-Identifier: Apache-2.0
"""How the add-on becomes an installable extension: wheels, manifest, zip, repository. Used by ``build_addon.py``."""
