"""Decide whether an order may leave."""
