"""Managers of fields: managedFields, requests, and kubectl's last applied configuration."""
