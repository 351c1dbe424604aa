# SPDX-License-Identifier: Apache-2.0
"""What ``smirk`` can be told to do, one module per command."""
