# SPDX-License-Identifier: Apache-2.0
"""Networks of others that judge pictures while training. None is needed and none shipped: weights are the user's."""
