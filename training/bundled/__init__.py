# SPDX-License-Identifier: Apache-2.0
"""The encoder that ships with the open head: a teacher on exact truth, SMIRK's networks taught by it, its yardstick."""
