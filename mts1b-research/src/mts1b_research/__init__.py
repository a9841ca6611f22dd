"""Run strategies and promote them."""
