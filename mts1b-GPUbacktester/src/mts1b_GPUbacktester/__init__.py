"""Simulate many strategies over many assets fast."""
