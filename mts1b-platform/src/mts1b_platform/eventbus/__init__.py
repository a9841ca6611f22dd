"""The bus: one port, two implementations, one way to connect."""

from mts1b_platform.eventbus.connect import BusUnavailable, connect
from mts1b_platform.eventbus.port import (
    BusError,
    Consumer,
    EventBus,
    Message,
    NoResponders,
    NotPermitted,
    PublishAck,
    RemoteError,
    RequestTimeout,
    StreamInfo,
    StreamMissing,
    Subscription,
    dead_letter_subject,
)

__all__ = [
    "BusError",
    "BusUnavailable",
    "Consumer",
    "EventBus",
    "Message",
    "NoResponders",
    "NotPermitted",
    "PublishAck",
    "RemoteError",
    "RequestTimeout",
    "StreamInfo",
    "StreamMissing",
    "Subscription",
    "connect",
    "dead_letter_subject",
]
