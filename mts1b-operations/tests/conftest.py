"""Let the tests of this package import the small world beside them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from operations_terminal import home, mts

__all__ = ["home", "mts"]
