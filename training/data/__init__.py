# SPDX-License-Identifier: Apache-2.0
"""Pictures with known truth: rendered heads and re-posed portraits, and what a detector sees in them."""
