"""What operators read of the arguments that they were given."""
