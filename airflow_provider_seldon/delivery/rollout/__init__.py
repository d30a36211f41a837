"""Deploy, complete, roll back and scale: sequences of requests that can be interrupted anywhere.

core/rollout decides what to do; waiting is in delivery/waiting, canaries are in delivery/canary.
"""
