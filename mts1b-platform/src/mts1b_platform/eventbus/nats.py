"""The bus over NATS. With ``nats_client`` and ``nats_messages`` all that knows the library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from mts1b_foundation.nats import StreamSpec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import BadSubjectError, MaxPayloadError, NoRespondersError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import (
    APIError,
    BadRequestError,
    NoStreamResponseError,
    NotFoundError,
    ServerError,
)

from mts1b_platform.errors import RetryLater
from mts1b_platform.eventbus.nats_client import close_client, open_client, settle
from mts1b_platform.eventbus.nats_messages import (
    MESSAGE_ID,
    NO_HEADERS,
    NatsConsumer,
    NatsFollower,
    NatsMessage,
    as_header,
)
from mts1b_platform.eventbus.port import (
    BusError,
    Consumer,
    MessageHandler,
    NoResponders,
    NotPermitted,
    PublishAck,
    RemoteError,
    RequestHandler,
    RequestTimeout,
    StreamInfo,
    StreamMissing,
    Subscription,
)
from mts1b_platform.eventbus.server import NatsAddress
from mts1b_platform.logging import get_logger
from mts1b_platform.supervision import answer, end_tasks, hand_over

__all__ = ["NatsBus", "NatsUnavailable"]

_ERROR = "mts-error"
_INBOXES = "_INBOX."
_PUBLISH_ATTEMPTS = 20
_ACK_S = 2.0
_SETTLE_S = 5
_REPLIES_S = 2.0
_TOO_LARGE = "REPLY_TOO_LARGE"
_FAST_MESSAGES = 10_000
_FAST_BYTES = 5 * 1024**3
"""What a stream of prices keeps, a subject and in all: quotes must leave room for orders."""


class NatsUnavailable(RetryLater):
    """No NATS server answers."""


class _Subscribed:
    def __init__(self, inner: NatsSubscription) -> None:
        self._inner = inner

    async def unsubscribe(self) -> None:
        with contextlib.suppress(NatsError):
            await self._inner.unsubscribe()


class NatsBus:
    """Talk to a NATS server with JetStream. Use :meth:`connect`."""

    name = "nats"

    def __init__(self, client: Client, denied: set[str]) -> None:
        self._client = client
        self._denied = denied
        self._stream_api = client.jetstream(timeout=_ACK_S)
        self._log = get_logger("bus")
        self._running: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(
        cls,
        locate: Callable[[], NatsAddress | None],
        *,
        name: str = "",
        patience_s: float = 10.0,
    ) -> NatsBus:
        """Return a connected bus; it reconnects for ever.

        :param locate: returns where the server is, or None while that is not known.
        :raises NatsUnavailable: when no server answers within ``patience_s``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        last = "no nats-server runs in this MTS_HOME; start one with `mts bus serve`, or `mts up`"
        while True:
            address = locate()
            if address is not None:
                try:
                    denied: set[str] = set()
                    return cls(await open_client(address, name, locate, denied), denied)
                except (NatsError, OSError, TimeoutError) as error:
                    last = f"{address.url} does not answer: {type(error).__name__} {error}".strip()
            if loop.time() >= deadline:
                raise NatsUnavailable(last)
            await asyncio.sleep(0.05)

    @property
    def connected(self) -> bool:
        """Return whether the connection is up now."""
        return bool(self._client.is_connected)

    async def publish(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send to who listens now."""
        try:
            await self._client.publish(subject, data, headers=dict(headers) if headers else None)
        except NatsError as error:
            raise BusError(f"publish on {subject}: {error}") from error

    async def publish_durable(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> PublishAck:
        """Store on the stream of ``subject``; a time-out is tried again with the same id."""
        every = {**(headers or NO_HEADERS), MESSAGE_ID: as_header(message_id)}
        for attempt in range(1, _PUBLISH_ATTEMPTS + 1):
            try:
                ack = await self._stream_api.publish(subject, data, headers=every, timeout=_ACK_S)
            except NoStreamResponseError as error:
                if self.connected and attempt >= 3:
                    raise StreamMissing(f"no stream keeps {subject}") from error
                await asyncio.sleep(0.1)
            except (BadSubjectError, MaxPayloadError) as error:
                raise BusError(_unsendable(subject, data, error)) from error
            except (NatsTimeout, TimeoutError, NatsError) as error:
                self._require_permission(subject)
                if attempt == _PUBLISH_ATTEMPTS:
                    raise BusError(
                        f"{subject}: it is unknown whether {message_id} is stored: {error}"
                    ) from error
                await asyncio.sleep(0.1)
            else:
                return PublishAck(ack.stream, ack.seq, bool(ack.duplicate))
        raise BusError(f"{subject}: not published")

    async def _settle(self) -> None:
        try:
            await settle(self._client, _SETTLE_S)
        except (NatsError, TimeoutError) as error:
            raise BusError(f"the server does not answer: {type(error).__name__} {error}") from error

    def _require_permission(self, subject: str) -> None:
        """Tell a refusal, which the server reports without saying of which message, from silence.

        :raises NotPermitted: when it has refused the subject.
        """
        if subject.lower() in self._denied:
            raise NotPermitted(f"the server does not let this user publish on {subject}")

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue: str | None = None
    ) -> Subscription:
        """Call ``handler`` for each message, in order."""

        async def deliver(raw: Msg) -> None:
            await hand_over(handler, NatsMessage.core(raw))

        return await self._subscribe(subject, queue, deliver)

    async def _subscribe(
        self, subject: str, queue: str | None, deliver: Callable[[Msg], Awaitable[None]]
    ) -> Subscription:
        try:
            inner = await self._client.subscribe(subject, queue=queue or "", cb=deliver)
        except NatsError as error:
            raise BusError(f"subscription to {subject}: {error}") from error
        await self._settle()
        return _Subscribed(inner)

    async def serve(
        self, subject: str, handler: RequestHandler, *, queue: str | None = None
    ) -> Subscription:
        """Answer requests, each in a task of its own."""

        async def begin(raw: Msg) -> None:
            task = asyncio.create_task(self._reply(raw, handler))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        return await self._subscribe(subject, queue, begin)

    async def _reply(self, raw: Msg, handler: RequestHandler) -> None:
        try:
            data, headers = await answer(handler, raw.data), None
        except RemoteError as error:
            data, headers = error.message.encode(), {_ERROR: error.code}
        # A reply goes nowhere else: who asks must not make us publish on a subject of our own.
        if not raw.reply.startswith(_INBOXES):
            return
        with contextlib.suppress(NatsError):
            try:
                await self._client.publish(raw.reply, data, headers=headers)
            except MaxPayloadError:
                self._log.error("reply too large", subject=raw.subject, size=len(data))
                said = f"the reply has {len(data)} bytes, which the bus does not carry"
                headers = {_ERROR: _TOO_LARGE}
                await self._client.publish(raw.reply, said.encode(), headers=headers)

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask and return the reply."""
        try:
            reply = await self._client.request(subject, data, timeout=timeout_s)
        except NoRespondersError as error:
            raise NoResponders(f"nobody serves {subject}") from error
        except (NatsTimeout, TimeoutError) as error:
            self._require_permission(subject)
            raise RequestTimeout(f"no reply on {subject} within {timeout_s} s") from error
        except (BadSubjectError, MaxPayloadError) as error:
            raise BusError(_unsendable(subject, data, error)) from error
        except NatsError as error:
            raise RequestTimeout(f"{subject}: {type(error).__name__} {error}") from error
        code = (reply.headers or NO_HEADERS).get(_ERROR)
        if code is not None:
            raise RemoteError(code, reply.data.decode())
        return bytes(reply.data)

    async def ensure_stream(self, spec: StreamSpec, *, duplicate_window_s: float = 120.0) -> None:
        """Create the stream, or update its subjects."""
        config = _config(spec, duplicate_window_s)
        try:
            info = await self._stream_api.stream_info(spec.name)
        except NotFoundError:
            info = None
        except (NatsError, TimeoutError) as error:
            raise BusError(f"stream {spec.name}: {error}") from error
        try:
            if info is None:
                await self._stream_api.add_stream(config)
            elif set(info.config.subjects or ()) != set(spec.subjects):
                await self._stream_api.update_stream(config)
        except (APIError, NatsError, TimeoutError) as error:
            raise BusError(f"stream {spec.name}: {error}") from error

    async def limit_stream(self, spec: StreamSpec) -> None:
        """Give a stream of prices that was made without them its limits; others have none."""
        wanted = _config(spec, 0.0)
        try:
            config = (await self._stream_api.stream_info(spec.name)).config
            if config.max_msgs_per_subject != wanted.max_msgs_per_subject and spec.fast:
                config.max_msgs_per_subject = wanted.max_msgs_per_subject
                config.max_bytes = wanted.max_bytes
                await self._stream_api.update_stream(config)
        except (APIError, NatsError, TimeoutError) as error:
            raise BusError(f"stream {spec.name}: {error}") from error

    async def stream_info(self, stream: str) -> StreamInfo:
        """Return the state of a stream."""
        try:
            info = await self._stream_api.stream_info(stream)
        except NotFoundError as error:
            raise StreamMissing(f"no stream {stream}") from error
        except (NatsError, TimeoutError) as error:
            raise BusError(f"stream {stream}: {error}") from error
        state = info.state
        # Nothing ages in a stream of events: one that does not begin at 1 was emptied, and filled
        # anew. One with limits loses its oldest all the time.
        limited = (info.config.max_msgs_per_subject or 0) > 0
        emptied = f"/{state.first_seq}" if state.first_seq > 1 and not limited else ""
        incarnation = f"{info.created}{emptied}"
        return StreamInfo(stream, incarnation, state.first_seq, state.last_seq)

    async def consumer(
        self,
        stream: str,
        durable: str,
        *,
        start_sequence: int | None = None,
        acknowledge: bool = True,
        ack_wait_s: float = 30.0,
        max_deliver: int = 5,
    ) -> Consumer:
        """Return the durable consumer, made anew when ``start_sequence`` is given.

        The server delivers without a limit: this side counts, and buries what is too often. So
        a burial that fails is repeated.
        """
        if not acknowledge:
            return await self._follow(stream, start_sequence or 1)
        config = ConsumerConfig(
            durable_name=durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=-1,
            max_ack_pending=4096,
        )
        try:
            if start_sequence is not None:
                with contextlib.suppress(NotFoundError):
                    await self._stream_api.delete_consumer(stream, durable)
                config.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
                config.opt_start_seq = start_sequence
            try:
                await self._stream_api.add_consumer(stream, config)
            except (
                BadRequestError,
                ServerError,
            ):  # it exists, and began elsewhere: its position is what counts
                await self._stream_api.consumer_info(stream, durable)
            pull = await self._stream_api.pull_subscribe_bind(durable=durable, stream=stream)
        except NotFoundError as error:
            raise StreamMissing(f"no stream {stream}") from error
        except (NatsError, TimeoutError) as error:
            raise BusError(f"consumer {durable} of {stream}: {error}") from error
        return NatsConsumer(self._bury, pull, stream, durable, max_deliver)

    async def _follow(self, stream: str, start_sequence: int) -> Consumer:
        """Let the server push: what is published waits here before anybody asks for it."""
        inbox = self._client.new_inbox()
        follower = NatsFollower()
        try:
            follower.subscription = await self._client.subscribe(
                inbox, cb=follower.take, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
            await self._stream_api.add_consumer(
                stream,
                ConsumerConfig(
                    deliver_subject=inbox,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=start_sequence,
                    ack_policy=AckPolicy.NONE,
                    mem_storage=True,
                ),
            )
        except NotFoundError as error:
            await follower.close()
            raise StreamMissing(f"no stream {stream}") from error
        except (NatsError, TimeoutError) as error:
            await follower.close()
            raise BusError(f"follower of {stream}: {error}") from error
        return follower

    async def _bury(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        await self.publish(subject, data, headers=headers)

    async def close(self) -> None:
        """Finish replies, say what is left, disconnect; a server that is silent is left soon."""
        try:
            if self._running:
                await asyncio.wait(self._running, timeout=_REPLIES_S)
        finally:
            await close_client(self._client)
            await end_tasks(list(self._running))


def _config(spec: StreamSpec, duplicate_window_s: float) -> StreamConfig:
    config = StreamConfig(
        name=spec.name,
        subjects=list(spec.subjects),
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        duplicate_window=duplicate_window_s,
    )
    if spec.fast:
        config.max_msgs_per_subject, config.max_bytes = _FAST_MESSAGES, _FAST_BYTES
    return config


def _unsendable(subject: str, data: bytes, error: NatsError) -> str:
    return f"nothing was sent on {subject!r} ({len(data)} bytes): {error}"
