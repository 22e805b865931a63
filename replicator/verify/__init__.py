"""A comparison of the replica with its source: what to ask, what the answers say, and the verdict."""
