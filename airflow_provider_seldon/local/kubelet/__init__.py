"""What a node does for pods: run their containers (or pretend to), probe them, keep their logs.

Writes nothing but pods.
"""
