"""Boxes, a real broker and the station's core: nothing lost, and the answer is the box's own.

The boxes are simulated but for the last tests; which record comes when is by the firmware's rooms.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import brokers
import pytest
from host.fakebox import BOX, START_S, journal
from host.station_parts import OTHER, SECRET, Station, add_stage, admit, station, until
from noisewarden.errors import UserError
from noisewarden.firmware import evidence, wire
from noisewarden.station import committing, intake, mqtt_client, usb
from noisewarden.station.mqtt_client import BrokerClient, BrokerWay
from noisewarden.station.usb import UsbBox
from noisewarden.station.ways import Unreachable
from noisewarden.virtual.air import Air
from noisewarden.virtual.simulated import SimulatedBox
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import PATIENCE_S, RESTED_MAIN, install, tones
from system.stations import SSID, WIFI_PASSWORD, provision

PASSWORDS = {box: wire.derive(SECRET, "mqtt").hex() for box in (BOX, OTHER, "box")}


@pytest.fixture(autouse=True)
def in_haste(monkeypatch):
    monkeypatch.setattr(mqtt_client, "_PAUSES_S", (0.2,))
    monkeypatch.setattr(committing, "AGAIN_AFTER_S", 0.4)
    monkeypatch.setattr(usb, "LOOK_AGAIN_AFTER_S", 0.2)


@pytest.fixture(params=brokers.KINDS)
def broker(request, tmp_path):
    with brokers.running(request.param, PASSWORDS, tmp_path) as found:
        yield found


@asynccontextmanager
async def tasks(*works: Any) -> AsyncIterator[None]:
    """Runs them meanwhile."""
    running = [asyncio.create_task(work) for work in works]
    try:
        yield
        for task in running:
            assert not task.done(), task.exception()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def on(
    broker: brokers.Running, folder: Path, filters: Sequence[str] = (), **options: Any
) -> AsyncIterator[Station]:
    """A station that runs, connected."""
    with station(folder / "data", time.monotonic, **options) as parts:
        client = BrokerClient(
            broker.station_url,
            filters or intake.filters(),
            lambda *message: parts.intake.hear_topic(way, *message),
            lambda trouble: parts.live.trouble("broker", trouble),
        )
        way = BrokerWay(client, parts.register)
        async with tasks(
            client.run(), parts.intake.run(), parts.live.run(), parts.commander.run()
        ):
            await until(lambda: client.connected, lambda: "the station does not come in")
            yield parts


def of(box: SimulatedBox, broker: brokers.Running) -> Any:
    return box.run(broker.host, broker.port, broker.tls())


def test_every_record_arrives_once_and_is_acknowledged(broker, tmp_path):
    first, second = journal(200), journal(40)

    async def work():
        boxes = SimulatedBox(BOX, SECRET, first), SimulatedBox(OTHER, SECRET, second)
        async with on(broker, tmp_path) as parts, tasks(*[of(box, broker) for box in boxes]):
            await until(lambda: boxes[0].upload.held == 201, lambda: "not all is acknowledged")
            await until(lambda: boxes[1].upload.held == 41, lambda: "not all is acknowledged")
            first.add("fault", uptime_ms=13_000_000, unix_s=START_S, text="new")
            boxes[0].wake()
            await until(
                lambda: boxes[0].upload.held == 202, lambda: "the new one is not acknowledged"
            )
            counts = parts.intake.committer.counts
            assert counts["new"] == 243 and counts["conflicts"] == 0
            assert boxes[0].orders.forged == boxes[0].orders.stale == 0
            assert parts.entries() == first and parts.entries(OTHER) == second
            assert parts.store.chain(BOX) == {"verified": 202, "broken": 0, "unverified": 0}

    asyncio.run(work())


def test_a_command_goes_to_the_box_and_its_answer_comes_back(broker, tmp_path):
    def obey(command):
        tired = command.get("seconds") == 120
        return ("refused", "the relay must rest") if tired else ("done", "")

    async def work():
        box = SimulatedBox(BOX, SECRET, journal(2), clock=0, obey=obey)
        async with on(broker, tmp_path) as parts, tasks(of(box, broker)):
            await until(lambda: box.clock, lambda: "the clock is not set")
            assert abs(box.commands[0]["time"] - time.time()) < 30
            lit, refused = [
                await parts.commander.ask(BOX, "spotlight_on", {"seconds": seconds}, None)
                for seconds in (5, 120)
            ]
            await until(lambda: status(parts, refused) == "refused", lambda: "no answer")
            assert status(parts, lit) == "done"
            assert parts.commander.get(refused)["detail"] == "the relay must rest"
            assert [command["counter"] for command in box.commands] == [1, 2, 3]
            assert box.orders.forged == box.orders.replayed == 0

    asyncio.run(work())


def test_what_is_live_is_told_and_ends_with_the_boxs_will(broker, tmp_path):
    async def work():
        box = SimulatedBox(BOX, SECRET, journal(2))
        box.reading_every_s = 0.1
        box.readings |= {"laeq": 73.2, "shown": "73", "colour": "red"}
        async with on(broker, tmp_path) as parts, parts.live.subscribe() as reader:
            async with tasks(of(box, broker)):
                told = await event(reader, "readings", "reading")
                assert told["reading"]["laeq"] == 73.2 and told["reason"] == ""
                assert parts.live.box(BOX)["online"]
            gone = await event(reader, "readings", "reason")
            assert gone == {"box": BOX, "reading": None, "reason": "no connection"}

    asyncio.run(work())


async def event(reader: Any, name: str, key: str) -> dict[str, Any]:
    """Of the first event with this name: the first box of which `key` is something."""
    while True:
        kind, data = await asyncio.wait_for(anext(reader), PATIENCE_S)
        if kind == name:
            for each in json.loads(data)[name]:
                if each[key]:
                    return each


def test_broker_and_station_may_end_at_any_time(broker, tmp_path):
    made = journal(400)

    async def work():
        box = SimulatedBox(BOX, SECRET, made)
        async with tasks(of(box, broker)):
            async with on(broker, tmp_path) as parts:
                await until(lambda: box.upload.held > 50, lambda: "nothing is acknowledged")
                await asyncio.to_thread(broker.stop)
                await until(lambda: "broker" in parts.live.troubles, lambda: "nobody is told")
                assert box.upload.held <= parts.store.held(BOX)
            await asyncio.to_thread(broker.start)
            # The station comes back, as after a kill: what it had not committed comes again.
            async with on(broker, tmp_path) as parts:
                await until(lambda: parts.store.held(BOX) == 401, lambda: "not all came")
                assert "broker" not in parts.live.troubles
                assert parts.entries() == made and parts.store.gaps(BOX) == []

    asyncio.run(work())


def test_several_processes_take_in_their_parts_of_one_journal(tmp_path):
    made = journal(150)
    now_s = int(time.time())
    stage = add_stage(made, 1, at_s=9100, unix_s=now_s)

    async def work(broker):
        box = SimulatedBox(BOX, SECRET, made)
        shared = {"filters": intake.filters(shared=True)}
        further = {
            "filters": intake.filters(shared=True, records_only=True),
            "records_only": True,
        }
        async with on(broker, tmp_path, **shared) as one, on(broker, tmp_path, **further) as two:
            async with tasks(of(box, broker)):
                await until(lambda: box.upload.held == stage, lambda: "not all is acknowledged")
                await until(one.incidents.list, lambda: "no incident")
            counts = [parts.intake.committer.counts for parts in (one, two)]
            assert all(count["new"] > 30 for count in counts)
            assert sum(count["new"] for count in counts) == len(made)
            assert one.entries() == made and one.store.gaps(BOX) == []
            assert one.store.chain(BOX)["verified"] == len(made)
            [incident] = one.incidents.list()
            assert incident["opened_seq"] == stage and incident["live"]

    with brokers.running("mosquitto", PASSWORDS, tmp_path) as broker:
        asyncio.run(work(broker))


def test_a_broker_that_refuses_is_told_in_one_line(tmp_path):
    async def work(broker):
        troubles = []
        url = broker.station_url.replace("mqtt://%24station:", "mqtt://%24station:no")
        client = BrokerClient(url, intake.filters(), lambda *message: None, troubles.append)
        async with tasks(client.run()):
            await until(lambda: troubles, lambda: "nobody is told")
            with pytest.raises(Unreachable):
                await client.publish("noisewarden/x/ack", "{}")
        password = url.split(":")[2].split("@")[0]
        assert "refuses the station" in troubles[0] and password not in troubles[0]

    with brokers.running("mosquitto", PASSWORDS, tmp_path) as broker:
        asyncio.run(work(broker))


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://u:secret@h:x", "mqtt://h/path"])
def test_a_url_that_is_none_is_refused_and_not_shown(url):
    with pytest.raises(UserError, match="is no URL") as refusal:
        BrokerClient(url, [], lambda *message: None)
    assert "secret" not in str(refusal.value)


# The real firmware.


def test_a_box_over_wifi(broker, tmp_path):
    air = Air()
    air.network(SSID, WIFI_PASSWORD)
    board = install(tmp_path, RESTED_MAIN)
    provision(tmp_path / "flash", broker.host, broker.port, broker.ca_der, SECRET)

    async def work():
        async with on(broker, tmp_path) as parts:
            admit(parts.register, "box")
            with VirtualBox(tmp_path, tones((1, 60)), board=board, air=air):
                await check(parts)
            await until(lambda: parts.live.silent("box"), lambda: "it is still there")

    asyncio.run(work())


def test_a_box_on_usb_by_the_same_door_again_after_it_was_unplugged(tmp_path):
    board = install(tmp_path, RESTED_MAIN)
    (tmp_path / "flash" / "secret.bin").write_bytes(SECRET)
    port = tmp_path / "cable"

    async def work():
        with station(tmp_path / "data", time.monotonic) as parts:
            cable = UsbBox(str(port), parts.intake, parts.ways, parts.live.trouble)
            works = parts.intake.run(), parts.live.run(), parts.commander.run()
            async with tasks(cable.run(), *works):
                await until(lambda: parts.live.troubles, lambda: "nobody is told")
                for _ in range(2):
                    with VirtualBox(tmp_path, tones((1, 60)), board=board) as box:
                        port.symlink_to(box.port)
                        await until(
                            lambda: "register" in str(parts.live.troubles) or parts.live.boxes(),
                            "it is not heard",
                        )
                        admit(parts.register, "box")
                        await check(parts)
                    port.unlink()
                    await until(lambda: parts.live.silent("box"), lambda: "it is still there")
                assert "plug" in parts.live.troubles[f"usb {port}"]

    asyncio.run(work())


async def check(parts: Station) -> None:
    """A real box is seen, its records come, and it does what it is asked."""
    await until(lambda: not parts.live.silent("box"), lambda: "it is not heard")
    await until(lambda: (parts.live.box("box")["reading"] or {}).get("time"), lambda: "no time")
    asked = await parts.commander.ask("box", "identify", {"seconds": 1}, None)
    await until(lambda: status(parts, asked) == "done", lambda: "no answer")
    assert "set_time" in [command["action"] for command in parts.commander.recent("box")]
    await until(
        lambda: len(commands(parts)) >= 2 and asked in commands(parts), lambda: "no record"
    )
    assert parts.store.gaps("box") == [] and parts.store.conflicts("box") == []
    assert parts.store.chain("box")["unverified"] == parts.store.chain("box")["broken"] == 0
    assert abs(parts.live.box("box")["reading"]["time"] - time.time()) < 30
    assert parts.intake.counts["damaged"] == parts.intake.counts["failed"] == 0


def commands(parts: Station) -> list[str]:
    """Ids of those in the journal."""
    rows = [row for row in parts.store.records("box") if row.kind == "command"]
    return [evidence.unpack(row.data)["id"] for row in rows]


def status(parts: Station, command: str) -> str:
    return parts.commander.get(command)["status"]
