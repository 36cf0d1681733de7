"""amqtt 0.12.1 behind the guard: who gets a message, and what amqtt leaves undone.

It looks through all subscriptions for each message and lets go of the loop between them, so that
a message is lost for the rest when one of them changes; it sends the retained messages of
everybody's subscriptions to whoever connects; it leaves a connection open that another with the
same client id has followed, and one for ever that ends right after its CONNECT. The methods
beginning with an underscore are amqtt's own: its version is pinned.
"""

import asyncio
import logging
from collections.abc import Iterator

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import ApplicationMessage, Session

from noisewarden.station.guard import UNSENT_MOST_BYTES, Connection
from noisewarden.station.rights import OfStation

_DOOR = "default"
_REFUSED = 0x80
"""SUBACK return code (3.9.3)."""
_QOS_MOST = 1

_ENDS_WITHIN_S = 5.0
"""amqtt has done with a connection by then, or is made to."""

_log = logging.getLogger(__name__)


class Router(Broker):
    """Takes connections from the guard, never from a socket.

    connections  by client id
    """

    def __init__(self) -> None:
        # It makes and formats a log message for each step of each packet.
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        doors = {_DOOR: ListenerConfig(type=ListenerType.EXTERNAL)}
        super().__init__(BrokerConfig(listeners=doors, plugins={}))
        self.connections: dict[str, Connection] = {}
        self._stations: set[Connection] = set()
        self._wildcards: set[str] = set()
        self._deliveries: set[asyncio.Task[object]] = set()

    async def serve(self, connection: Connection) -> None:
        """Serves a connection to its end; one of the same client ends first (3.1.4)."""
        client = connection.client
        while earlier := self.connections.get(client):
            earlier.cut("came back on another connection")
            await earlier.over.wait()
        self.connections[client] = connection
        connection.pass_on = lambda topic, data: self._pass_on(connection, topic, data)
        connection.waiting = lambda: self._waiting(client)
        if isinstance(connection.rights, OfStation):
            self._stations.add(connection)
        else:
            connection.others_are_behind = self._station_is_behind
        served = asyncio.ensure_future(self.external_connected(connection, connection, _DOOR))
        served.add_done_callback(lambda _: connection.cut("amqtt has done with it"))
        try:
            await connection.ended.wait()
            await asyncio.wait_for(served, _ENDS_WITHIN_S)
        except TimeoutError:
            _log.error("%s: amqtt did not end it", client)
        except Exception:
            _log.exception("%s: amqtt failed", client)
        finally:
            await self._delete_session(client)
            del self.connections[client]
            self._stations.discard(connection)
            connection.over.set()

    def _waiting(self, client: str) -> int:
        session, _ = self.sessions.get(client, (None, None))
        return session.delivered_message_queue.qsize() if session else 0

    def _station_is_behind(self) -> bool:
        return any(station.unsent > UNSENT_MOST_BYTES // 2 for station in self._stations)

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        return session.client_id in self.connections  # the guard has

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        """Of a subscription; the other actions are not asked for here."""
        connection = self.connections.get(session.client_id or "")
        return connection is not None and connection.rights.may_subscribe(topic)

    async def _handle_message_delivery(
        self,
        client_session: Session,
        handler: BrokerProtocolHandler,
        wait_deliver: asyncio.Future[ApplicationMessage | None],
    ) -> bool:
        """Passes on a client's message. What it may not publish is acknowledged and dropped, as
        Mosquitto does (3.3.5): newer firmware may say more than this station knows."""
        message = wait_deliver.result()
        connection = self.connections.get(client_session.client_id or "")
        if message is None or connection is None:
            return True
        if not _may_publish(connection, message.topic):
            return True
        if message.retain:
            await self.retain_message(client_session, message.topic, message.data, message.qos)
        await self._broadcast_message(client_session, message.topic, message.data, message.qos)
        return True

    def _pass_on(self, connection: Connection, topic: str, data: bytes) -> None:
        """A packet of QoS 0 as it came, to whoever subscribes to its topic at whatever QoS."""
        if _may_publish(connection, topic):
            for subscriber, _ in self._subscribers(topic):
                if other := self.connections.get(subscriber.client_id or ""):
                    other.write(data)

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        topic_filter, qos = subscription
        granted = await super().add_subscription((topic_filter, min(qos, _QOS_MOST)), session)
        if topic_filter.startswith("$share/"):
            _log.warning(
                "%s: several intake processes need an external broker, by --broker; the one in "
                "the process has no shared subscriptions",
                session.client_id,
            )
        elif granted == _REFUSED:
            _log.info("%s: may not subscribe to %r", session.client_id, topic_filter)
        elif _is_wildcard(topic_filter):
            self._wildcards.add(topic_filter)
        return granted

    async def _broadcast_message(
        self,
        session: Session | None,
        topic: str | None,
        data: bytes | bytearray | None,
        force_qos: int | None = None,
    ) -> None:
        """Sends a message to its subscribers at once; `force_qos` is that of the publisher."""
        for subscriber, qos in list(self._subscribers(topic or "")):
            handler = self._get_handler(subscriber)
            if not handler or subscriber.client_id not in self.connections:
                continue
            sending = handler.mqtt_publish(
                topic or "", data or b"", min(qos, force_qos or 0), retain=False
            )
            delivery = asyncio.ensure_future(sending)
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._delivered)

    def _delivered(self, delivery: "asyncio.Task[object]") -> None:
        self._deliveries.discard(delivery)
        if not delivery.cancelled() and (error := delivery.exception()):
            _log.info("not acknowledged: %s", error)

    def _subscribers(self, topic: str) -> Iterator[tuple[Session, int]]:
        yield from self.subscriptions.get(topic, ())
        for topic_filter in self._wildcards:
            if self._matches(topic, topic_filter):
                yield from self.subscriptions.get(topic_filter, ())

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        topic_filter = subscription[0]
        if not _is_wildcard(topic_filter) and topic_filter not in self.retained_messages:
            return
        if any(
            subscriber.client_id == session.client_id
            for subscriber, _ in self.subscriptions.get(topic_filter, ())
        ):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def _may_publish(connection: Connection, topic: str) -> bool:
    allowed = connection.rights.may_publish(topic)
    if not allowed:
        _log.info("%s: may not publish to %r", connection.client, topic)
    return allowed


def _is_wildcard(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter
