# SPDX-License-Identifier: Apache-2.0
"""Analysis by neural synthesis: what is needed to teach an encoder. Needs torch; nothing else in the engine does."""
