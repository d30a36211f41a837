"""Which kinds there are, their fields, defaults and rules, and where objects are stored."""
