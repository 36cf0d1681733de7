import check
from instant import asyncio, time, within  # before what waits
from noisebox.backoff import BackOff
from noisebox.wifi import MOST_PAUSE_MS, Wifi


class Radio:
    """A radio of the fake air; notes its calls with the second of each."""

    def __init__(self):
        self.calls = []
        self.reachable = True
        self.on = False
        self._wanted = False

    def start(self):
        """As `hal.radio`, whose WLAN this is."""
        self.on = True
        return self

    def connect(self, ssid, password):
        assert self.on and not self._wanted, "connect while connecting"
        self._wanted = True
        self.calls.append(time.ticks_ms())

    def disconnect(self):
        self._wanted = False

    def isconnected(self):
        return self._wanted and self.reachable

    def status(self, parameter=None):
        return -60 if parameter == "rssi" else 201

    def ifconfig(self):
        return ("10.0.0.7", "255.255.255.0", "10.0.0.1", "10.0.0.1")


def wifi(radio, faults):
    back_off = BackOff(1000, MOST_PAUSE_MS, lambda n: 0)
    return Wifi(radio.start, "street", "password", back_off, faults.append)


def test_pauses_grow_to_the_most_and_begin_again():
    pauses = BackOff(1000, 6000, lambda n: 0)
    assert [pauses.next_ms() for _ in range(5)] == [1000, 2000, 4000, 6000, 6000]
    pauses.reset()
    assert pauses.next_ms() == 1000


def test_pauses_lie_between_the_half_and_the_whole():
    assert BackOff(1000, 6000, lambda n: n - 1).next_ms() == 500


def test_it_connects_and_tells_where_it_is():
    radio, faults = Radio(), []
    owner = wifi(radio, faults)
    nowhere = {"address": None, "signal": None, "outages": 0}
    assert owner.state() == nowhere

    async def scene():
        task = asyncio.create_task(owner.run())
        await owner.up()
        assert owner.state() == {"address": "10.0.0.7", "signal": -60, "outages": 0}
        task.cancel()
        return True

    assert within(30, scene())
    assert faults == [] and len(radio.calls) == 1


def test_a_loss_is_noticed_counted_told_once_and_mended():
    radio, faults = Radio(), []
    owner = wifi(radio, faults)

    async def scene():
        task = asyncio.create_task(owner.run())
        await owner.up()
        radio.reachable = False
        await owner.lost()
        await asyncio.sleep(300)
        radio.reachable = True
        await owner.up()
        assert owner.outages == 1
        task.cancel()
        return True

    assert within(600, scene())
    assert faults == ["wifi: connection lost", "wifi: no network of this name"]


def test_after_a_failure_of_its_own_it_can_be_started_again():
    radio, faults = Radio(), []
    owner = wifi(radio, faults)

    def no_memory():
        raise MemoryError

    async def scene():
        task = asyncio.create_task(owner.run())
        await owner.up()
        radio.isconnected = no_memory
        try:
            await task
        except MemoryError:
            pass
        del radio.isconnected
        await asyncio.wait_for(asyncio.create_task(owner.run()), 20)

    within(30, scene())
    assert len(radio.calls) == 2


def test_attempts_become_rare():
    radio, faults = Radio(), []
    radio.reachable = False
    within(3600, wifi(radio, faults).run())
    pauses = [
        time.ticks_diff(after, before) for before, after in zip(radio.calls, radio.calls[1:])
    ]
    assert 15_000 < pauses[0] < 17_000
    assert 74_000 < pauses[-1] < 76_000
    assert faults == ["wifi: no network of this name"]


check.run(globals())
