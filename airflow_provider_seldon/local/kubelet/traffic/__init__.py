"""Metrics of the requests to pods, and faults in their responses."""
