"""The Kubernetes Deployments that the operator creates: which are expected, and what they run.

Creates none.
"""
