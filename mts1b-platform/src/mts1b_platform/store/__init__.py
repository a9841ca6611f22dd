"""The record: one transactional store a service, with its outbox and inbox."""

from mts1b_platform.store.engine import Store, StoreClosed, StoreError, StoreNewer
from mts1b_platform.store.inbox import Inbox
from mts1b_platform.store.outbox import Outbox, OutboxRelay
from mts1b_platform.store.prepared import Prepared, Rows
from mts1b_platform.store.pruning import StorePruner
from mts1b_platform.store.types import DecimalText, UtcText
from mts1b_platform.store.volatile import VolatileStore

__all__ = [
    "DecimalText",
    "Inbox",
    "Outbox",
    "OutboxRelay",
    "Prepared",
    "Rows",
    "Store",
    "StoreClosed",
    "StoreError",
    "StoreNewer",
    "StorePruner",
    "UtcText",
    "VolatileStore",
]
