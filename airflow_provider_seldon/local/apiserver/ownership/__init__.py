"""Who manages which field: managedFields, merge keys, and what kubectl wrote last."""
