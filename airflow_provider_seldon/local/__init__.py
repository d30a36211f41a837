"""Seldon Core on this machine, without a cluster."""
