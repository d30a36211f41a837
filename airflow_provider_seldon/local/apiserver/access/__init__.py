"""Authentication and authorization. Certificates are in local."""
