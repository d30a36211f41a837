"""Requests, bodies and errors of the Kubernetes API as data."""
