"""Reflector, store and informer: one LIST and WATCH for everybody who waits."""
