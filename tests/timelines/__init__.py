"""Timelines: what a client sees of a deployment, step by step, with the right verdict at each step."""
