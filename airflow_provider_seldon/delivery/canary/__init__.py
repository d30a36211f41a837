"""Canaries carried out: their writes, the abort, and baking in between."""
