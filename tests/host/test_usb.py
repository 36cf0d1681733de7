"""A cable at which another box is, all of a sudden; the port itself is in tests/system."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from host.fakebox import BOX, journal
from host.station_parts import OTHER, payloads, reading, station
from noisewarden.station.usb import SILENT_AFTER_S, UsbBox

PATIENCE_S = 20


def test_another_box_on_the_cable_is_heard_and_gets_no_word_that_was_for_the_one_before(tmp_path):
    async def work(parts):
        cable = UsbBox("/dev/ttyUSB0", parts.intake, parts.ways)
        for payload in payloads(journal(20))[:16]:
            cable._hear(BOX, "record", payload)
        cable._since_ack = 1
        cable._heard_record_at -= SILENT_AFTER_S + 1
        await cable.acknowledge(BOX, 1, 16, [])  # held back, since more is under way
        cable._hear(OTHER, "reading", reading())
        assert parts.live.box(OTHER)["reading"]
        await parts.step()
        while not cable._to_send.empty():
            box, name, payload = cable._to_send.get_nowait()
            assert (box, name, payload) == (OTHER, "ack", {"seq": 0})

    with station(tmp_path) as parts:
        asyncio.run(work(parts))


def test_however_many_cables_there_are_they_hold_up_nothing_else(tmp_path):
    """The loop's own threads are few: six on a laptop of two cores."""

    async def work(parts):
        with ThreadPoolExecutor(1) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            cables = [
                asyncio.create_task(UsbBox(f"{tmp_path}/{n}", parts.intake, parts.ways).run())
                for n in range(2)
            ]
            await asyncio.sleep(0.1)  # they have begun
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await asyncio.to_thread(parts.register.all)
            finally:
                for cable in cables:
                    cable.cancel()
                await asyncio.gather(*cables, return_exceptions=True)

    with station(tmp_path) as parts:
        assert len(asyncio.run(work(parts))) == 2
