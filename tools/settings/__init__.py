"""The page of all settings: ``python -m tools.settings --write``."""

from tools.settings.page import PAGE, render

__all__ = ["PAGE", "render"]
