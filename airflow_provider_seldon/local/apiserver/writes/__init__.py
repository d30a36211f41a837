"""Create, update, patch and delete: from a request body to a stored object. The store itself is in objects."""
