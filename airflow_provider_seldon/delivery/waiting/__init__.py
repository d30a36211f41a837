"""Waits on a worker and in the triggerer. Judges nothing: see core/readiness."""
