"""The station's one connection to its broker, whichever that is: kept, and made anew when it ends.

Sessions are clean on this side too: what was missed is in the journals of the boxes.
"""

import asyncio
import ipaddress
import json
import math
import random
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import aiomqtt

from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.register import Register
from noisewarden.station.rights import STATION
from noisewarden.station.ways import Again, Unreachable

PORTS = {"mqtt": 1883, "mqtts": 8883}
_KEEP_ALIVE_S = 30
_KEY_KEPT_S = 1.0
_WITHIN_S = 5.0
"""For an answer of the broker."""
_PENDING_MOST = 10_000
"""Acknowledgements of a whole city on their way are nothing to warn of."""
_PAUSES_S = (0.5, 1, 2, 5, 10, 20)

Hear = Callable[[str, bytes, bool], None]
"""Takes topic, payload, and whether the broker had kept it. It must be quick and not raise."""


class _HandingOn(asyncio.Queue[aiomqtt.Message]):
    """Gives each message to `hear` at once: a task for each, as the library makes it, would cost
    more than all the rest."""

    def __init__(self, hear: Hear, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._hear = hear

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if isinstance(item.payload, bytes | bytearray):
            self._hear(item.topic.value, bytes(item.payload), item.retain)


class _AtOnce:
    """The loop as aiomqtt 2.5.1 is to see it: what it wants done soon is done now.

    It has a socket watched from the loop's next turn on. A broker that restarts has closed it by
    then, and its number may be that of another. While it connects, in a thread, nothing is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_soon_threadsafe(self, work: Callable[..., object], *arguments: Any) -> None:
        if threading.get_ident() == self._thread:
            work(*arguments)
        else:
            self._loop.call_soon_threadsafe(work, *arguments)


class _Client(aiomqtt.Client):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._loop: Any = _AtOnce(self._loop)
        self.pending_calls_threshold = _PENDING_MOST


class BrokerClient:
    """url       mqtt://USER:PASSWORD@HOST:PORT, or mqtts://…; it is never shown
    filters   what to subscribe to
    hear      what comes
    tell      takes what is wrong with the connection, "" when nothing is
    ca        a file with the authority of the broker; None for those that the system trusts

    UserError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        filters: Sequence[str],
        hear: Hear,
        tell: Callable[[str], None] = lambda trouble: None,
        *,
        ca: Path | None = None,
    ) -> None:
        self._options, self.name = _options(url, ca)
        self._filters = [(each, 1) for each in filters]
        self._queue: Any = partial(_HandingOn, hear)
        self._tell = tell
        self._client: aiomqtt.Client | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None

    async def run(self) -> None:
        """Keeps a connection until cancelled."""
        failures = 0
        while True:
            try:
                async with self._connect() as client:
                    await self._subscribe(client)
                    if _is_cancelled():
                        return
                    self._client = client
                    self._tell("")
                    failures = 0
                    async for _ in client.messages:
                        pass
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._tell(f"{self.name}: {_cause(error)}")
            finally:
                self._client = None
            pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
            failures += 1
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))

    async def publish(self, topic: str, payload: str) -> None:
        """At QoS 1; Unreachable when the broker has not confirmed it."""
        if self._client is None:
            raise Unreachable(f"{self.name}: is not connected")
        try:
            await self._client.publish(topic, payload, qos=1)
        except (aiomqtt.MqttError, RuntimeError, ValueError) as error:
            raise Unreachable(f"{self.name}: {error}") from None

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        granted: Any = await client.subscribe(self._filters)
        for (topic, _), answer in zip(self._filters, granted, strict=True):
            if answer.is_failure:
                raise aiomqtt.MqttError(
                    f"lets the station hear nothing on {topic}; allow it there"
                )

    def _connect(self) -> aiomqtt.Client:
        return _Client(
            **self._options,
            identifier=f"{STATION}-{secrets.token_hex(4)}",
            clean_session=True,
            keepalive=_KEEP_ALIVE_S,
            timeout=_WITHIN_S,
            queue_type=self._queue,
            max_inflight_messages=_PENDING_MOST,
        )


class BrokerWay:
    """To the boxes on a broker, which is trusted with nothing: each message is sealed."""

    def __init__(self, client: BrokerClient, register: Register) -> None:
        self._client = client
        self._register = register
        self._keys: dict[str, tuple[float, Any]] = {}

    async def command(self, box: str, body: dict[str, Any]) -> None:
        await self._send(box, "command", body)

    async def acknowledge(self, box: str, boot: int | None, seq: int, again: Again) -> None:
        if boot is None:
            raise Unreachable(f"{box}: has not told its state yet")
        await self._send(box, "ack", {"boot": boot, "seq": seq, "again": again})

    async def _send(self, box: str, name: str, body: dict[str, Any]) -> None:
        topic = wire.topic(box, name)
        sealed = wire.seal(await self._key(box), topic, json.dumps(body))
        await self._client.publish(topic, json.dumps(sealed))

    async def _key(self, box: str) -> Any:
        """A secret may be changed at any time, so a key is not kept for long."""
        read_at, key = self._keys.get(box, (-math.inf, None))
        if time.monotonic() - read_at > _KEY_KEPT_S:
            registered = await asyncio.to_thread(self._register.get, box)
            if registered is None:
                raise Unreachable(f"{box}: is not in the register")
            key = wire.Key(registered.command_key)
            self._keys[box] = time.monotonic(), key
        return key


def _is_cancelled() -> bool:
    """Whether this task is to end: aiomqtt waits by `wait_for`, which in Python 3.11 may forget
    that it was cancelled (cpython #86296)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def refuse_unencrypted(parts: SplitResult) -> None:
    """UserError for a broker on another computer without TLS: the station's password, and all that
    boxes say, would be open to whoever is on the way."""
    if parts.scheme == "mqtt" and not _is_loopback(parts.hostname or ""):
        raise UserError(
            f"broker: the station's password would go to {parts.hostname} unencrypted; "
            "write mqtts://, or 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _options(url: str, ca: Path | None) -> tuple[dict[str, Any], str]:
    """What the library takes, and a name of the broker that can be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError
    except (ValueError, KeyError):
        # The URL itself may hold a password.
        raise UserError(
            "broker: is no URL of one; write mqtt://USER@HOST:PORT or mqtts://USER@HOST:PORT"
        ) from None
    refuse_unencrypted(parts)
    options: dict[str, Any] = {
        "hostname": parts.hostname,
        "port": port,
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }
    if parts.scheme == "mqtts":
        try:
            options["tls_context"] = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise UserError(
                f"{ca}: is no certificate of an authority ({error.strerror}); name its PEM file"
            ) from None
    return options, f"broker {parts.hostname}:{port}"


def _cause(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "ot authorized" in text or "ad user name" in text:
        return "refuses the station's user and password; correct them"
    return f"{text}; it is tried again"
