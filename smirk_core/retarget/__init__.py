# SPDX-License-Identifier: Apache-2.0
"""ARKit's 52 weights and the turns of a head onto other characters: names, gains and axes as data."""
