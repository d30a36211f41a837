"""Reflector, store and informer: one LIST and WATCH for all waits.

What an object means is decided in core/readiness.
"""
