"""The built-in factors, by kind."""
