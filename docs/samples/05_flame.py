# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of SMIRK, DECA or EMOCA become an animated FLAME, with your own copy of FLAME's model file.

blender -b --python docs/samples/05_flame.py -- generic_model.pkl results.npz flame.blend
python docs/samples/05_flame.py generic_model.pkl results.npz flame.blend
"""

import sys

try:
    from blender_smirk import api
except ImportError:  # in a Blender that has the extension
    from bl_ext.user_default.smirk import api

from smirk_core.heads.library import load_head
from smirk_core.importers.take_import import import_take

model, results, result = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]

flame = load_head(model)
take = import_take(results, flame, rate=25.0)

# Keys called as FLAME add-ons call them, and the first ten components of the identity as sliders.
head = api.add_take(take, head=flame, identity_keys=10, names="flame")
api.save(result)
