"""The public read-only API."""

from mts1b_operations.api.app import create_app
from mts1b_operations.api.board import Board, FundStatus
from mts1b_operations.api.limiter import PeerLimiter
from mts1b_operations.api.server import ApiServer

__all__ = ["ApiServer", "Board", "FundStatus", "PeerLimiter", "create_app"]
