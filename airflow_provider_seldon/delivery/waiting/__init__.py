"""Waits on a worker and in the triggerer. The verdicts are in core/readiness."""
