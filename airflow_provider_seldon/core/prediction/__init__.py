"""Prediction requests as data: endpoints, payloads, samples, and the answering predictor. Sends nothing."""
