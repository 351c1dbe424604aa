# SPDX-License-Identifier: Apache-2.0
"""Results of other programs as takes on FLAME: SMIRK, DECA, EMOCA, INFERNO. See docs/importing.md."""
