"""Scaffolding and conformance kits for plugin authors."""
