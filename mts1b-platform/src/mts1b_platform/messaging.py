"""Tell people: Telegram, Slack, Discord, mail and more, each named by one address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mts1b_platform.errors import FixConfiguration
from mts1b_platform.security import SecretRegistry

if TYPE_CHECKING:
    from apprise import Apprise

__all__ = ["Delivery", "Messenger", "MessengerMisconfigured", "Urgency"]


class MessengerMisconfigured(FixConfiguration):
    """Messages can not be sent with what is installed or configured."""


class Urgency(StrEnum):
    """Say how much a message matters; the values are the library's."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message at one address (``target`` is masked)."""

    target: str
    delivered: bool


def _target(url: str, number: int) -> Apprise:
    try:
        import apprise
    except ImportError as error:
        raise MessengerMisconfigured(
            "sending messages needs the extra mts1b-platform[alerts]; install it, or remove the "
            "alert addresses"
        ) from error
    target = apprise.Apprise()
    if not target.add(url):
        raise MessengerMisconfigured(
            f"alert address {number} ({url.partition('://')[0]}://...) means nothing to the "
            "library; check its spelling"
        )
    return target


class Messenger:
    """Send to every address. A message that can not be sent is reported, never raised.

    :param urls: addresses such as ``tgram://token/chat``; they hold tokens, so they are secrets.
    :raises MessengerMisconfigured: when the extra is missing or an address means nothing.
    """

    def __init__(self, urls: Sequence[SecretStr], *, secrets: SecretRegistry | None = None) -> None:
        self._targets: list[tuple[str, Apprise]] = []
        for index, url in enumerate(urls):
            if secrets is not None:
                secrets.add(url.get_secret_value())
            target = _target(url.get_secret_value(), index + 1)
            entry: Any = target[0]
            self._targets.append((str(entry.url(privacy=True)), target))

    async def send(
        self, title: str, body: str, *, urgency: Urgency = Urgency.INFO
    ) -> list[Delivery]:
        """Send to every address; return what became of it, in order; [] without addresses.

        The library's blocking calls run on the loop's own worker threads.
        """
        outcomes: list[Delivery] = []
        for name, target in self._targets:
            sent = await target.async_notify(title=title, body=body, notify_type=urgency.value)
            outcomes.append(Delivery(name, bool(sent)))
        return outcomes
