"""Who asks, and what they may do. Certificates are in local."""
