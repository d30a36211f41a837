"""How operators read their arguments."""
