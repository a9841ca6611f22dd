"""The cards of the broker kit, one file for each group."""

__all__: list[str] = []
