"""Deploy, complete, roll back and scale: orders of requests that may be interrupted anywhere.

What is to be done is decided in core/rollout; waiting is in delivery/waiting, canaries are in delivery/canary.
"""
