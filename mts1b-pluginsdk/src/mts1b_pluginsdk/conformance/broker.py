"""The conformance kit of brokers: what every ``BrokerProtocol`` must do, as numbered cards."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from mts1b_pluginsdk.conformance.card import Card
from mts1b_pluginsdk.conformance.cards.account import ACCOUNT
from mts1b_pluginsdk.conformance.cards.ambiguity import AMBIGUITY
from mts1b_pluginsdk.conformance.cards.cancel import CANCEL
from mts1b_pluginsdk.conformance.cards.capabilities import CAPABILITIES
from mts1b_pluginsdk.conformance.cards.corrections import CORRECTIONS
from mts1b_pluginsdk.conformance.cards.dead_man import DEAD_MAN
from mts1b_pluginsdk.conformance.cards.duties import DUTIES
from mts1b_pluginsdk.conformance.cards.fills import FILLS
from mts1b_pluginsdk.conformance.cards.limits import LIMITS
from mts1b_pluginsdk.conformance.cards.outage import OUTAGE
from mts1b_pluginsdk.conformance.cards.replace import REPLACE
from mts1b_pluginsdk.conformance.cards.restart import RESTART
from mts1b_pluginsdk.conformance.cards.session import SESSION
from mts1b_pluginsdk.conformance.cards.submit_keys import KEYS
from mts1b_pluginsdk.conformance.cards.submit_terms import TERMS
from mts1b_pluginsdk.conformance.cards.values import VALUES
from mts1b_pluginsdk.conformance.report import Report
from mts1b_pluginsdk.conformance.sandbox import Connect
from mts1b_pluginsdk.conformance.settings import BenchSettings

__all__ = ["BROKER_CARDS", "BROKER_DUTIES", "check_broker"]

_DECKS = (
    *(SESSION, CAPABILITIES, TERMS, KEYS, FILLS, CORRECTIONS, CANCEL, REPLACE),
    *(RESTART, AMBIGUITY, OUTAGE, LIMITS, DEAD_MAN, ACCOUNT, VALUES),
)

BROKER_DUTIES: tuple[Card, ...] = DUTIES
"""The cards that no broker may skip for want of a claim: the baseline."""

BROKER_CARDS: tuple[Card, ...] = tuple(
    sorted(chain(DUTIES, *(deck.cards for deck in _DECKS)), key=lambda card: int(card.number[1:]))
)
"""Every card, in order of number."""


async def check_broker(
    connect: Connect,
    *,
    settings: BenchSettings | None = None,
    subject: str = "broker",
    cards: Iterable[Card] = BROKER_DUTIES,
) -> Report:
    """Run cards; one that fails does not stop the others.

    :param connect: makes a client, where all clients that it makes see the same account, as after
        a restart; or a :class:`Sandbox` with a new account for each card. The account must be a
        simulation or a sandbox, for the cards trade in it.
    """
    results = [await card.run(connect, settings=settings) for card in cards]
    return Report(subject, tuple(results))
