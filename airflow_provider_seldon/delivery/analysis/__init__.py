"""Measuring both sides of a canary: Prometheus, a function, or the models are asked. Judging is in core."""
