"""What decides, without any network, whether an order may leave: record, lease, socket."""

from mts1b_platform.halt.keeper import LeaseKeeper
from mts1b_platform.halt.lease import SendLease
from mts1b_platform.halt.memory import MemoryHaltStore
from mts1b_platform.halt.socket import HaltSocket, SocketSilent, ask, sockets_of
from mts1b_platform.halt.store import HaltState, HaltStateUnreadable, HaltStore

__all__ = [
    "HaltSocket",
    "HaltState",
    "HaltStateUnreadable",
    "HaltStore",
    "LeaseKeeper",
    "MemoryHaltStore",
    "SendLease",
    "SocketSilent",
    "ask",
    "sockets_of",
]
