"""Turn signals into target positions."""
