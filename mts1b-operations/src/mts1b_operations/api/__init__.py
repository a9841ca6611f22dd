"""The public API: read-only but for signed signals."""

from mts1b_operations.api.app import create_app
from mts1b_operations.api.board import Board, FundStatus
from mts1b_operations.api.limiter import PeerLimiter
from mts1b_operations.api.server import ApiServer
from mts1b_operations.api.signals import Door, Kept, SignalIntake

__all__ = [
    "ApiServer",
    "Board",
    "Door",
    "FundStatus",
    "Kept",
    "PeerLimiter",
    "SignalIntake",
    "create_app",
]
