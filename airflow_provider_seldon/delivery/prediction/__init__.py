"""Prediction requests through the ingress, and smoke tests. Payloads are in core/prediction."""
