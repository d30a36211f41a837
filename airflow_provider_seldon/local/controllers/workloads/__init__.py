"""The controllers of Deployments and ReplicaSets, and the garbage collector."""
