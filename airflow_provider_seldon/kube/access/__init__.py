"""The address of a cluster and its credentials. Sends no request, except through an exec plugin."""
