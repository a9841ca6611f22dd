"""Sources that give prices."""
