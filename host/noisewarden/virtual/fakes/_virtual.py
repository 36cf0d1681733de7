"""Virtual time, for a box that runs as fast as it can: it moves only while the box waits.

Apart, so that a box in real time need not load it: its heap is that of a small chip.
"""

import uselect
import utime
from micropython import const
from uselect import POLLIN

_AHEAD_US = const(1 << 50)
_TO_THE_END_US = const(1_000_000)
_WDT_RESET = const(3)
_RATE_HZ = const(48000)
_FRAME_BYTES = const(8)
_DMA_FRAMES = const(256)
_FILENO = const(10)


class Clock:
    """Microseconds since some start; it stands still while code runs."""

    def __init__(self):
        # asyncio, in C, stamps some tasks with the real ticks: they must all be in the past.
        self._now_us = utime.ticks_us() + _AHEAD_US
        self._end_us = None
        self._bite_us = None

    def now_us(self):
        return self._now_us

    def move_to(self, us):
        """Lets time pass; the process ends with 0 a second after the sound did.

        Here the watchdog bites; that of real time is the host's.
        """
        if self._bite_us is not None and us >= self._bite_us:
            from _chip import reset

            self._bite_us = None
            reset(_WDT_RESET)
        if self._end_us is not None and us >= self._end_us:
            raise SystemExit
        self._now_us = max(us, self._now_us)

    def watch(self, us):
        """The watchdog: `us` from now without another call are too long."""
        self._bite_us = self._now_us + us

    def end_soon(self):
        """The sound is over: one second is left for what is in hand."""
        if self._end_us is None:
            self._end_us = self._now_us + _TO_THE_END_US


clock = Clock()


class Arrivals:
    """The frames of `sound` as they come to lie in full DMA buffers of the microphone."""

    def __init__(self, sound):
        self._sound = sound
        self._ended = False
        self._emptied = False
        self._start_us = clock.now_us()
        self._taken = 0

    def ready_us(self):
        """When a poll tells of frames: at once until a read has come short, as the chip's driver
        has it (`dma_buffer_status` in esp32/machine_i2s.c). So there may be none."""
        return self.due_us() if self._emptied else clock.now_us()

    def due_us(self, frames=1):
        """When the next `frames` will be there. After the end of the sound there is nothing to
        read, at the same pace."""
        if self._ended:
            return clock.now_us() + _DMA_FRAMES * 1_000_000 // _RATE_HZ
        buffers = (self._taken + frames + _DMA_FRAMES - 1) // _DMA_FRAMES
        due = self._start_us + (buffers * _DMA_FRAMES * 1_000_000 + _RATE_HZ - 1) // _RATE_HZ
        return max(due, clock.now_us())

    def readinto(self, buf, waits):
        """Bytes read: all, for one that `waits`, else what is there; after the end of the sound 0,
        or EOFError, since for one that polls 0 is no end."""
        if self._ended and not waits:
            raise EOFError
        wanted = len(buf) // _FRAME_BYTES
        if waits:
            clock.move_to(self.due_us(wanted))
        else:
            passed = (clock.now_us() - self._start_us) * _RATE_HZ // 1_000_000
            wanted = min(wanted, passed // _DMA_FRAMES * _DMA_FRAMES - self._taken)
        got = self._sound.readinto(buf, wanted * _FRAME_BYTES)
        self._taken += got // _FRAME_BYTES
        self._emptied = got < len(buf)
        if got < wanted * _FRAME_BYTES:
            self._ended = True
            clock.end_soon()
        return got


class Poll:
    """Of `select`: when nothing is ready, the clock jumps to the next frames of the microphone or
    to the end of the wait."""

    def __init__(self):
        self._real = uselect.poll()
        self._others = 0
        self._microphone = None
        self._ready = ()

    def register(self, stream, events=POLLIN):
        if hasattr(stream, "arrivals"):
            stream.ioctl(_FILENO, 0)
            self._microphone = stream
            self._ready = ((stream, POLLIN),)
        else:
            self._others += 1
            self._real.register(stream, events)

    def modify(self, stream, events):
        if stream is not self._microphone:
            self._real.modify(stream, events)

    def unregister(self, stream):
        if stream is self._microphone:
            self._microphone = None
        else:
            self._others -= 1
            self._real.unregister(stream)

    def poll(self, ms=-1):
        if self._others:
            ready = self._real.poll(0)
            if ready:
                return ready
        now = clock.now_us()
        arrivals = self._microphone.arrivals if self._microphone else None
        arrival = arrivals.ready_us() if arrivals else None
        if arrival is not None and (ms < 0 or arrival <= now + ms * 1000):
            clock.move_to(arrival)
            return self._ready
        if ms < 0:
            # Nothing virtual will ever come: the sound is over, or only a socket is awaited.
            clock.move_to(now + 1000)
            return self._real.poll(0 if self._microphone else 1)
        clock.move_to(now + ms * 1000)
        return ()

    def ipoll(self, ms=-1):
        return self.poll(ms)


# Of `time`.


def ticks_us():
    """As the firmware sees it: a look costs 1 µs, so that a loop on the clock ends."""
    clock.move_to(clock.now_us() + 1)
    return clock.now_us()


def ticks_ms():
    return ticks_us() // 1000


def sleep_us(us):
    clock.move_to(clock.now_us() + us)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(s):
    sleep_us(int(s * 1_000_000))
