"""What the checks look up: homes of concepts, boundaries, and every exception with its reason."""
