"""Prediction requests as data: endpoints, payloads, sample requests, and who answered. Sends nothing."""
