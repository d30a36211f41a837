"""Requests to served models through the ingress, and smoke tests made of them. Payloads are in core/prediction."""
