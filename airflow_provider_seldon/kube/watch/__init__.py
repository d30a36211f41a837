"""Reflector, store and informer: one LIST and WATCH for all waits.

core/readiness evaluates the objects.
"""
