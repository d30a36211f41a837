"""Servers in containers: Seldon's engine, the graph, model servers."""
