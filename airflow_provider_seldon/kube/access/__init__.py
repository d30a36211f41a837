"""Where a cluster is, and how to be let in."""
