"""Measure both sides of a canary: with Prometheus, a function, or the models. The evaluation is in core."""
