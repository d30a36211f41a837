"""Pods on the node: scheduling, containers, probes, volumes, logs."""
