"""Slice a parent order into children."""
