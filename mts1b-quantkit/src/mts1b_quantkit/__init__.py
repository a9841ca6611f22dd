"""The mathematics of systematic trading: allocators, metrics, costs and factors."""
