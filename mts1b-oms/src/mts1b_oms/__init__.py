"""Own every order from intent to terminal state."""
