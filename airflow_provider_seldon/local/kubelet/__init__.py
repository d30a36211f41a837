"""The node: it runs the containers of pods (or simulates them), probes them, and keeps their logs.

It only writes pods.
"""
