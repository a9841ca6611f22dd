"""Keep market history."""
