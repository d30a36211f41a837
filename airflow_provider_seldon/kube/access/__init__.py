"""The address of a cluster and the credentials for it. Sends no request, but by an exec plugin."""
