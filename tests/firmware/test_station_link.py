import json

import check
from flashdisk import Files, FlashDisk
from instant import asyncio, time, within  # before what waits
from noisebox import wire
from noisebox.backoff import BackOff
from noisebox.clock import Clock
from noisebox.journal import Journal
from noisebox.mqtt import MqttError
from noisebox.orders import Orders
from noisebox.station_link import STATE_AGAIN_MS, StationLink
from noisebox.upload import ASK_AGAIN_MS, WINDOW

KEY = wire.Key(bytes(32))
NOW_S = 1_780_315_200


class Client:
    """A connection; `sent` is (seconds, name, payload, packet id) of what was published."""

    def __init__(self, on_message, on_puback, confirms):
        self.on_message = on_message
        self.on_puback = on_puback
        self.confirms = confirms
        self.sent = []
        self.pings = 0
        self.closed = False
        self.broken = asyncio.Event()
        self.stuck = False
        self._id = 0

    async def subscribe(self, *topics):
        self.subscribed = topics

    async def publish(self, topic, payload, packet_id=0, retain=False):
        while self.stuck:
            await asyncio.sleep_ms(10)
        self.sent.append((time.ticks_ms() // 1000, wire.split_topic(topic)[1], payload, packet_id))
        if packet_id and self.confirms:
            self.on_puback(packet_id)

    def new_id(self):
        self._id += 1
        return self._id

    async def ping(self):
        self.pings += 1

    async def listen(self):
        await self.broken.wait()
        raise OSError(104)

    async def close(self):
        self.closed = True

    def payloads(self, name):
        return [json.loads(payload) for _, kind, payload, _ in self.sent if kind == name]


class Box:
    """A box's link, its journal, and all connections that it made; also what the app does."""

    def __init__(self, records=0):
        files = Files(FlashDisk(64), fresh=True)
        self.journal = Journal(files, "journal", KEY)
        self.clock = Clock(time.ticks_ms, time.ticks_diff)
        self.clock.set(NOW_S)
        self.network = True
        self.refuses = None
        self.confirms = True
        self.clients = []
        self.faults = []
        self.obeyed = []
        self.beats = []
        self.counter = 0
        self.link = StationLink(
            "east",
            self,
            self._connect,
            Orders(files, "east", KEY),
            self.journal,
            self.clock,
            BackOff(1000, 120_000, lambda n: 0),
            self,
        )
        self.record(records)

    def record(self, count):
        for _ in range(count):
            body = wire.pack("fault", text="loose wire")
            self.journal.append("fault", body, self.clock.uptime_ms(), None, 0)
            self.journal.flush(0)

    # Radio.

    async def up(self):
        while not self.network:
            await asyncio.sleep_ms(100)

    async def lost(self):
        while self.network:
            await asyncio.sleep_ms(100)

    async def _connect(self, on_message, on_puback):
        if self.refuses:
            raise self.refuses
        self.clients.append(Client(on_message, on_puback, self.confirms))
        return self.clients[-1]

    # App.

    def obey(self, command, by, refusal):
        self.obeyed.append((command["action"], by, refusal))
        return {"id": command["id"], "outcome": "refused" if refusal else "done", "detail": ""}

    def tell_state(self):
        self.link.publish("state", {"boot": self.journal.boot})

    def fault(self, text):
        self.faults.append(text)

    def beat(self):
        self.beats.append(time.ticks_ms())

    # Station.

    @property
    def client(self):
        return self.clients[-1]

    def say(self, name, body, key=KEY):
        topic = wire.topic("east", name)
        self.client.on_message(topic, json.dumps(wire.seal(key, topic, json.dumps(body))))

    def ack(self, seq, **more):
        self.say("ack", dict({"boot": self.journal.boot, "seq": seq}, **more))

    def command(self, action="identify", **fields):
        self.counter += 1
        body = {"id": self.counter, "counter": self.counter, "expires": NOW_S + 3600}
        body.update(fields, action=action)
        self.say("command", body)

    def records(self):
        return [record["seq"] for record in self.client.payloads("record")]


def scene(box, script, seconds=3600):
    """Runs the link, a reading each second, and the script of a test."""

    async def measure():
        n = 0
        while True:
            box.link.publish("reading", {"n": n})
            n += 1
            await asyncio.sleep(1)

    async def play():
        tasks = [asyncio.create_task(box.link.run()), asyncio.create_task(measure())]
        await asyncio.sleep_ms(500)
        await script(box)
        for task in tasks:
            task.cancel()
        return True

    assert within(seconds, play())


def test_a_birth_then_a_reading_each_second():
    async def script(box):
        await asyncio.sleep(3)
        client = box.client
        assert client.subscribed == ("noisewarden/east/ack", "noisewarden/east/command")
        assert client.sent[0][1:] == ("availability", b"online", 1)
        assert client.sent[1][1] == "state"
        assert [reading["n"] for reading in client.payloads("reading")] == [0, 1, 2, 3]

    scene(Box(), script)


def test_records_resume_where_the_station_says_in_a_window():
    async def script(box):
        assert box.records() == []
        box.ack(5)
        await asyncio.sleep(1)
        assert box.records() == list(range(6, 6 + WINDOW))
        box.ack(8, again=[[7, 7]])
        await asyncio.sleep(1)
        assert box.records()[WINDOW:] == [7, 6 + WINDOW, 7 + WINDOW, 8 + WINDOW]
        first = box.client.payloads("record")[0]
        assert (first["after"], first["newest"]) == (5, 40)

    scene(Box(40), script)


def test_a_record_leaves_the_microphone_as_long_as_it_takes():
    async def script(box):
        publish, began_ms = box.client.publish, []

        async def works(topic, *more):
            if wire.split_topic(topic)[1] == "record":
                began_ms.append(time.ticks_ms())
                time.sleep_ms(30)
            await publish(topic, *more)

        box.client.publish = works
        box.ack(0)
        await asyncio.sleep(5)
        assert len(began_ms) == WINDOW
        assert all(now - before >= 60 for before, now in zip(began_ms, began_ms[1:]))

    scene(Box(40), script)


def test_a_record_that_is_new_follows_at_once():
    async def script(box):
        box.ack(0)
        await asyncio.sleep(2)
        box.record(1)
        await asyncio.sleep(1)
        assert box.records() == [1]

    scene(Box(), script)


def test_without_an_answer_it_asks_again_and_with_one_it_does_not():
    async def script(box):
        await asyncio.sleep_ms(2 * ASK_AGAIN_MS + 3000)
        assert len(box.client.payloads("state")) == 3
        box.ack(40)
        await asyncio.sleep_ms(ASK_AGAIN_MS * 3)
        assert len(box.client.payloads("state")) == 3
        await asyncio.sleep_ms(STATE_AGAIN_MS - 3 * ASK_AGAIN_MS + 3000)
        assert len(box.client.payloads("state")) == 4

    scene(Box(40), script)


def test_after_a_loss_it_goes_on_where_the_station_says():
    async def script(box):
        box.ack(0)
        await asyncio.sleep(1)
        lost = box.client
        lost.broken.set()
        await asyncio.sleep(3)
        assert lost.closed and len(box.clients) == 2
        assert box.records() == []
        box.ack(4)
        await asyncio.sleep(1)
        assert box.records()[0] == 5

    scene(Box(40), script)


def test_a_network_that_goes_ends_the_connection_without_a_fault():
    async def script(box):
        box.network = False
        await asyncio.sleep(60)
        assert box.client.closed and len(box.clients) == 1
        box.network = True
        await asyncio.sleep(3)
        assert len(box.clients) == 2
        assert box.faults == []

    scene(Box(), script)


def test_a_station_that_refuses_is_asked_ever_less_and_told_of_once():
    async def script(box):
        await asyncio.sleep(1000)
        assert box.faults == ["station: " + repr(box.refuses)]
        box.refuses = None
        await asyncio.sleep(121)
        assert len(box.clients) == 1

    box = Box()
    box.refuses = MqttError("refused: not authorised")
    scene(box, script)
    # The watchdog is content all the while.
    pauses = [time.ticks_diff(box.beats[n + 1], box.beats[n]) for n in range(len(box.beats) - 1)]
    assert max(pauses) < 1100, max(pauses)


def test_while_the_socket_is_behind_the_newest_reading_waits():
    async def script(box):
        await asyncio.sleep(2)
        box.client.stuck = True
        await asyncio.sleep(10)
        box.client.stuck = False
        await asyncio.sleep(1)
        numbers = [reading["n"] for reading in box.client.payloads("reading")]
        missing = set(range(numbers[-1])) - set(numbers)
        assert numbers == sorted(numbers)
        assert len(missing) == box.link.dropped == box.link.state()["dropped"] > 5

    scene(Box(), script)


def test_commands_are_obeyed_and_answered():
    async def script(box):
        box.command("identify", by="officer Li")
        box.command("reboot", expires=NOW_S - 1)
        await asyncio.sleep(1)
        (done, refused) = box.client.payloads("result")
        assert done == {"id": 1, "outcome": "done", "detail": ""}
        assert refused["outcome"] == "refused"
        assert box.obeyed[0] == ("identify", "officer Li", None)
        assert box.obeyed[1][:2] == ("reboot", "station")
        assert box.obeyed[1][2].startswith("expired")

    scene(Box(), script)


def test_the_id_of_a_box_is_not_changed_from_afar():
    async def script(box):
        box.command("set_config", config={"box": "west"})
        box.command("set_config", config={})
        box.command("set_config", config={"box": "east"})
        assert [refusal is None for _, _, refusal in box.obeyed] == [False, False, True]

    scene(Box(), script)


def test_a_result_goes_out_until_the_broker_has_it():
    async def script(box):
        box.command()
        await asyncio.sleep(1)
        assert len(box.client.payloads("result")) == 1
        box.confirms = True
        box.client.broken.set()
        await asyncio.sleep(3)
        assert len(box.client.payloads("result")) == 1
        box.client.broken.set()
        await asyncio.sleep(5)
        assert len(box.clients) == 3
        assert box.client.payloads("result") == []

    box = Box()
    box.confirms = False
    scene(box, script)


def test_what_is_forged_or_no_message_is_told_once_and_does_nothing():
    async def script(box):
        for key in (KEY, wire.Key(b"other")) * 2:
            box.say("command", {"id": 1, "counter": 1, "action": "set_time"}, key)
        for payload in (b"", b"\xff", b"[" * 3000, b"[1]", b"{}", b'{"body": 1, "mac": 2}'):
            box.client.on_message("noisewarden/east/ack", payload)
            box.client.on_message("noisewarden/east/command", payload)
            box.client.on_message("noisewarden/west/command", payload)
        assert len(box.obeyed) == 1
        assert box.faults == ["station: a message whose seal is wrong"]
        state = box.link.state()
        assert (state["forged"], state["replayed"]) == (14, 1)

    scene(Box(), script)


check.run(globals())
