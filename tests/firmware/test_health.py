import asyncio

import check
from noisebox import health
from noisebox.health import Heartbeats, keep


class Time:
    """Stands in for both `time` and `asyncio` in the room: sleeping only moves its clock."""

    def __init__(self):
        self.now_ms = 0
        self.pauses = []

    def ticks_ms(self):
        return self.now_ms

    def ticks_diff(self, late, early):
        return late - early

    async def sleep_ms(self, ms):
        self.pauses.append(ms)
        self.now_ms += ms


def faked():
    health.time = health.asyncio = fake = Time()
    return fake


def kept(time, *lives):
    """Keeps a task whose lives last so many ms each and then fail; the last ends by itself.

    Returns its result and what was told of each failure.
    """
    left = list(lives)
    told = []

    async def task():
        time.now_ms += left.pop(0)
        if left:
            raise OSError(5)
        return "ended"

    result = asyncio.run(keep("records", task, lambda name, error: told.append((name, error))))
    return result, told


def test_a_failed_task_is_started_again_with_growing_pauses():
    time = faked()
    result, told = kept(time, *[0] * 8)
    assert result == "ended"
    assert time.pauses == [1000, 2000, 5000, 10_000, 30_000, 30_000, 30_000]
    assert [name for name, _ in told] == ["records"] * 7
    assert all(isinstance(error, OSError) for _, error in told)


def test_a_life_of_half_a_minute_is_a_fresh_start():
    time = faked()
    kept(time, 0, 0, 30_001, 0, 30_000, 0)
    assert time.pauses == [1000, 2000, 1000, 2000, 5000]


def test_a_task_that_ends_is_not_started_again():
    time = faked()
    assert kept(time, 0) == ("ended", [])
    assert time.pauses == []


def test_a_failure_that_cannot_be_told_ends_no_task():
    time = faked()
    lives = [0, 1]

    async def task():
        if lives.pop():
            raise OSError(5)
        return "ended"

    def on_fault(name, error):
        raise MemoryError

    assert asyncio.run(keep("wifi", task, on_fault)) == "ended"
    assert time.pauses == [1000]


def test_an_interrupt_and_a_cancellation_pass_through():
    faked()
    told = []
    for kind in (KeyboardInterrupt, asyncio.CancelledError):

        async def task():
            raise kind

        check.raises(kind, asyncio.run, keep("listen", task, lambda *fault: told.append(fault)))
    assert told == []


def test_a_heart_is_late_when_its_own_time_is_over():
    time = faked()
    beats = Heartbeats({"audio": 1000, "link": 5000})
    assert beats.late() == []
    time.now_ms = 1000
    assert beats.late() == []
    time.now_ms = 1001
    assert beats.late() == ["audio"]
    beats.beat("audio")
    assert beats.late() == []
    time.now_ms = 5001
    assert sorted(beats.late()) == ["audio", "link"]


check.run(globals())
