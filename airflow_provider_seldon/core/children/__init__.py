"""The Kubernetes Deployments that the operator makes: which are expected, what they run, how far they are.

Builds none.
"""
