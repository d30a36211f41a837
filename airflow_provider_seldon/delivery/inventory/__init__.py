"""Deployments of this provider: list, check ownership, adopt and delete. Writes no version."""
