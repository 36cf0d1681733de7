"""`select` with a `poll` in which virtual time passes.

In real time it is MicroPython's own. In virtual time only waiting takes time: when nothing is
ready, the clock jumps to the next frames of the microphone or to the end of the wait.
"""

import uselect
from _chip import clock
from uselect import *  # noqa: F403
from uselect import POLLIN

_FILENO = 10


class _VirtualPoll:
    def __init__(self):
        self._real = uselect.poll()
        self._others = 0
        self._microphone = None
        self._ready = ()

    def register(self, stream, events=POLLIN):
        if hasattr(stream, "arrival_us"):
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
        arrival = self._microphone.arrival_us() if self._microphone else None
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


if clock.virtual:
    poll = _VirtualPoll
