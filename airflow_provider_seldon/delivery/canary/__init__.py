"""Carry out canaries: their writes, the abort, and the bakes in between."""
