"""What a NATS server lets each role of the bus do, written for its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mts1b_foundation.bus_roles import BusRole

from mts1b_platform.eventbus.port import dead_letter_subject

__all__ = ["ADMINISTRATOR", "Permissions", "authorization", "inbox_of", "permissions_of"]

ADMINISTRATOR = "platform"
"""Makes the streams when the server starts, and may do everything; no service is this user."""

_REPLY_EXPIRES = "5m"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects with NATS wildcards; what is not listed is refused.

    Where ``replies``, one reply may go to each message that asked for one.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    replies: bool = False


def inbox_of(user: str) -> str:
    """Return the prefix of the subjects on which only ``user`` hears what it is answered."""
    return f"_INBOX.{user}"


def permissions_of(role: BusRole) -> Permissions:
    """Return what a role may publish and subscribe to.

    Streams are made by the administrator alone: who may shape a stream may have the server
    republish what it keeps, on any subject.
    """
    publish: list[str] = []
    for subject in role.publishes:
        publish += [subject, f"{subject}.fund.*"]
    publish += role.calls
    publish += [f"$JS.API.STREAM.INFO.{stream}" for stream in (*role.writes, *role.reads)]
    for stream in role.reads:
        publish += [
            f"$JS.API.CONSUMER.CREATE.{stream}",
            f"$JS.API.CONSUMER.CREATE.{stream}.>",
            f"$JS.ACK.{stream}.>",
            dead_letter_subject(stream, role.name),
        ]
    subscribe = [f"{inbox_of(role.name)}.>", *role.serves, *role.hears]
    return Permissions(tuple(publish), tuple(subscribe), replies=bool(role.serves))


def authorization(roles: Sequence[BusRole], secrets: Mapping[str, str]) -> str:
    """Return the ``authorization`` block: a user for each role, and the administrator.

    :param secrets: password by user.
    """
    users = [f"    {{ user: {ADMINISTRATOR}, password: {json.dumps(secrets[ADMINISTRATOR])} }}"]
    users += [_user(role.name, secrets[role.name], permissions_of(role)) for role in roles]
    return "\n".join(("authorization {", "  users: [", *users, "  ]", "}"))


def _user(name: str, secret: str, may: Permissions) -> str:
    replies = (
        f'\n      allow_responses: {{ max: 1, expires: "{_REPLY_EXPIRES}" }}' if may.replies else ""
    )
    return (
        f"    {{ user: {json.dumps(name)}, password: {json.dumps(secret)}, permissions: {{\n"
        f"      publish: {{ allow: {json.dumps(may.publish)} }}\n"
        f"      subscribe: {{ allow: {json.dumps(may.subscribe)} }}{replies}\n"
        "    } }"
    )
