"""Turn one profile into a running system."""
