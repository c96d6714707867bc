"""The weekly verdict digest: from a published comparison to a stamped delivery."""
