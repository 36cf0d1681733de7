"""The station as a link, over WiFi: what is live, records until they are on its disk, its orders.

The journal is what both sides resume from: the station says what it has, the box sends what comes
after. Live readings are for looking; while the socket is behind the newest takes the place of the
one that waits.
"""

import asyncio
import json

from micropython import const

from noisebox import mqtt, wire
from noisebox.links import make_room, record_payload
from noisebox.upload import Upload

STATE_AGAIN_MS = const(600_000)
"""So often the box tells its state unasked: its health stays true, and the station's answer sets a
clock that went astray."""
_PING_MS = const(15_000)
_STEADY_MS = const(60_000)
"""A connection that lived so long was no failed attempt."""
_RESULTS_MOST = const(8)
_BEAT_MS = const(1000)

_FAILURES = (OSError, EOFError, ValueError, asyncio.TimeoutError, mqtt.MqttError)
"""A ValueError tells of a certificate (extmod/modtls_mbedtls.c)."""


class StationLink:
    """wifi        up() and lost(), to be waited for
    connect     coroutine function (on_message, on_puback) that gives a connected `mqtt.Client`
    orders      opens what the station has sealed
    back_off    the pauses between attempts
    outside     obey(command, by, refusal), which answers or returns None; tell_state(); beat();
                fault(text)

    dropped     readings that never went out, because a newer one came first
    """

    def __init__(self, box_id, wifi, connect, orders, journal, clock, back_off, outside):
        self._box_id = box_id
        self._wifi = wifi
        self._connect = connect
        self._orders = orders
        self._journal = journal
        self._clock = clock
        self._back_off = back_off
        self._outside = outside
        self._upload = Upload()
        self._wake = asyncio.Event()
        self._connected = False
        self._reading = None
        self._state = None
        self._state_ms = 0
        self._results = []  # [payload, packet id; 0 for not sent over this connection]
        self._told = None
        self.dropped = 0

    def publish(self, name, payload):
        """Takes a `reading` or a `state` to send as soon as it can be."""
        if name == "reading":
            self.dropped += self._connected and self._reading is not None
            self._reading = payload
        elif name == "state":
            self._state = payload
        self._wake.set()

    async def run(self):
        """Keeps a connection, for ever."""
        while True:
            await self._alive(self._wifi.up())
            began_ms = self._clock.uptime_ms()
            try:
                await self._alive(self._session())
                cause = None  # the network is gone, which is the radio's affair
            except _FAILURES as error:
                cause = "{!r}".format(error)
            self._connected = False
            lasted_ms = self._clock.uptime_ms() - began_ms
            if lasted_ms > _STEADY_MS:
                self._back_off.reset()
                self._told = None
            if cause and cause != self._told:
                self._told = cause
                self._outside.fault("station: " + cause)
            await self._alive(_pause(self._back_off.next_ms()))

    async def _alive(self, waited_for):
        """Waits, and beats meanwhile: a station that is not there is no failure of the box."""
        await _first_of(waited_for, self._beat())

    async def _beat(self):
        while True:
            self._outside.beat()
            await asyncio.sleep_ms(_BEAT_MS)

    async def _session(self):
        client = await self._connect(self._take, self._confirm)
        try:
            await client.subscribe(self._topic("ack"), self._topic("command"))
            await _first_of(client.listen(), self._send(client), self._wifi.lost())
        finally:
            await client.close()

    def _topic(self, name):
        return wire.topic(self._box_id, name)

    # Up.

    async def _send(self, client):
        await client.publish(self._topic("availability"), b"online", client.new_id(), True)
        self._connected = True
        for result in self._results:
            result[1] = 0
        self._outside.tell_state()
        pinged_ms = self._clock.uptime_ms()
        while True:
            self._wake.clear()
            now_ms = self._clock.uptime_ms()
            if self._upload.silent(now_ms) or now_ms - self._state_ms > STATE_AGAIN_MS:
                self._outside.tell_state()
            if now_ms - pinged_ms >= _PING_MS:
                pinged_ms = now_ms
                await client.ping()
            if self._state:
                state, self._state = _json(self._state), None
                self._state_ms = now_ms
                self._upload.ask(now_ms)
                await client.publish(self._topic("state"), state, client.new_id(), True)
            for result in self._results:
                if not result[1]:
                    result[1] = client.new_id()
                    await client.publish(self._topic("result"), _json(result[0]), result[1])
            if self._reading:
                reading, self._reading = self._reading, None
                await client.publish(self._topic("reading"), _json(reading))
            began_ms = self._clock.uptime_ms()
            if await self._send_record(client):
                await make_room(self._clock.uptime_ms() - began_ms)
            else:
                # A reading each second wakes it, whatever else does.
                await self._wake.wait()

    async def _send_record(self, client):
        """Sends one that is due; False when there is none."""
        newest = self._journal.last_flushed_seq
        wanted = self._upload.next(newest)
        if wanted is None:
            return False
        record = record_payload(self._journal, self._clock, wanted)
        if record is None:
            return False
        await client.publish(self._topic("record"), _json(record), client.new_id())
        self._upload.sent(wanted, record["seq"])
        return True

    def _confirm(self, packet_id):
        """The broker has a message; until then a result is kept for the next connection."""
        self._results = [result for result in self._results if result[1] != packet_id]

    # Down.

    def _take(self, topic, payload):
        forged = self._orders.forged
        try:
            message = json.loads(payload)
        except (ValueError, TypeError, RuntimeError):  # as in `config`
            message = None
        if not isinstance(message, dict):
            message = {}  # which nobody can have sealed
        if topic == self._topic("ack"):
            self._take_ack(message)
        elif topic == self._topic("command"):
            self._take_command(message)
        if self._orders.forged > forged == 0:
            self._outside.fault("station: a message whose seal is wrong")
        self._wake.set()

    def _take_ack(self, message):
        journal = self._journal
        ack = self._orders.ack(message, journal.boot, journal.last_flushed_seq)
        if ack:
            seq, again = ack
            self._upload.ack(seq, again, self._clock.uptime_ms())

    def _take_command(self, message):
        order = self._orders.command(message, self._clock.unix())
        if order is None:
            return
        command, refusal = order
        config = command.get("config")
        if isinstance(config, dict) and config.get("box") != self._box_id:
            # It is the name at the broker: the box would never be heard of again.
            refusal = refusal or "a box's id is changed over USB alone"
        by = command.get("by")
        result = self._outside.obey(command, by if isinstance(by, str) else "station", refusal)
        if result:
            self._results.append([result, 0])
            del self._results[:-_RESULTS_MOST]

    def state(self):
        """What it adds to the box's state."""
        orders = self._orders
        return {
            "dropped": self.dropped,
            "forged": orders.forged,
            "replayed": orders.replayed,
            "stale": orders.stale,
        }


async def _pause(ms):
    # What `sleep_ms` gives is for the one task that awaits it at once.
    await asyncio.sleep_ms(ms)


def _json(payload):
    return json.dumps(payload).encode()


async def _first_of(*coroutines):
    """Runs all until the first ends, cancels the others, and raises what the first raised."""
    over = asyncio.Event()
    ends = []

    async def watch(coroutine):
        error = None
        try:
            await coroutine
        except Exception as raised:
            error = raised
        ends.append(error)
        over.set()

    tasks = [asyncio.create_task(watch(coroutine)) for coroutine in coroutines]
    try:
        await over.wait()
    finally:
        for task in tasks:
            task.cancel()
    if ends[0]:
        raise ends[0]
