"""The chip: the only module that imports machine, neopixel, network and esp32.

Everything here is thin; what can be decided without hardware is decided elsewhere.
"""

import time

import machine
import neopixel
from micropython import const

SAMPLE_RATE_HZ = const(48000)
I2S_BUFFER_BYTES = const(40960)
"""106 ms of stereo frames of 8 bytes (the driver counts in descriptors of 256 frames): a redraw, a
collection and a line on the console fit in, a flash flush does not (DESIGN 4.1)."""

_RESET_STATE_REGISTERS = {"esp32": 0x3FF48034, "esp32s3": 0x60008038, "esp32c3": 0x60008038}
"""RTC_CNTL_RESET_STATE_REG in each chip's reference manual; the low 6 bits are the cause."""
_POWER_ON = const(1)

EPOCH_2000 = const(946684800)


class Switch:
    """An output that is on or off, as the spotlight's relay; off from the moment this exists."""

    def __init__(self, pin, active_high):
        self._active_high = active_high
        self._pin = machine.Pin(pin, machine.Pin.OUT, value=not active_high)

    def set(self, on):
        self._pin.value(1 if bool(on) == self._active_high else 0)


class Matrix:
    """The WS2812 chain. `write` takes bytes in chain and colour order; 30 µs a LED, blocking."""

    def __init__(self, pin, leds):
        self._chain = neopixel.NeoPixel(machine.Pin(pin, machine.Pin.OUT), leds)

    def write(self, buffer):
        self._chain.buf = buffer
        self._chain.write()


def microphone(pins):
    """The I2S stream of 32-bit stereo frames; `pins` holds sck, ws and sd.

    Allocates I2S_BUFFER_BYTES of DMA memory, so call it before WiFi takes its share.
    """
    return machine.I2S(
        0,
        sck=machine.Pin(pins["sck"]),
        ws=machine.Pin(pins["ws"]),
        sd=machine.Pin(pins["sd"]),
        mode=machine.I2S.RX,
        bits=32,
        format=machine.I2S.STEREO,
        rate=SAMPLE_RATE_HZ,
        ibuf=I2S_BUFFER_BYTES,
    )


_TX_POWER_DBM = const(17)
"""With an antenna of 3 dBi the 20 dBm (EIRP) that China and Europe allow at 2.4 GHz; less current
at a stroke, too, which a microphone hears. The channels follow the access point: IDF's default."""


def radio():
    """The WLAN as a station, switched on. Its buffers come from the IDF heap: open the microphone
    before. It reconnects by itself no more, since that is `wifi`'s."""
    # The import starts the network stack, for which a box on USB has no use.
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.config(reconnects=0, txpower=_TX_POWER_DBM)
    return wlan


def button_held(pin):
    """Whether the safe-mode button (to ground) is held down."""
    return not machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP).value()


def watchdog(timeout_ms):
    """The watchdog. Nothing stops it; a second call changes its time (esp32/machine_wdt.c)."""
    return machine.WDT(timeout=timeout_ms)


def reset_cause(chip, asked):
    """Why the chip started: power, brownout, watchdog, panic, asked, soft or sleep.

    MicroPython reports a brown-out as power-on and a panic as the reset of `machine.reset()`
    (ports/esp32 modmachine.c). The first is told by the chip's register, where it is no power-on:
    IDF resets by software then (power_supply/brownout.c). The second is told by `asked`: whether
    the firmware noted that it wanted the reset.
    """
    cause = machine.reset_cause()
    if cause == machine.SOFT_RESET:
        return "soft"
    if cause == machine.WDT_RESET:
        return "watchdog"
    if cause == machine.DEEPSLEEP_RESET:
        return "sleep"
    if cause == machine.HARD_RESET:
        return "asked" if asked else "panic"
    register = _RESET_STATE_REGISTERS.get(chip)
    if cause == machine.PWRON_RESET and register and machine.mem32[register] & 63 != _POWER_ON:
        return "brownout"
    return "power"


def serial():
    """What tells this chip from all others, as hex digits."""
    return machine.unique_id().hex()


def reset():
    machine.reset()


def rtc_memory(data=None):
    """Reads or writes the memory that outlives every reset but not the power (2 KB at most)."""
    memory = machine.RTC().memory
    return memory() if data is None else memory(data)


def rtc_unix():
    """Seconds since 1970 that the chip's clock shows; near 2000 when nobody ever set it."""
    return time.time() + (EPOCH_2000 if time.gmtime(0)[0] == 2000 else 0)


def set_rtc(unix_s):
    """Sets the chip's clock, which goes on over watchdog and panic resets."""
    shift = EPOCH_2000 if time.gmtime(0)[0] == 2000 else 0
    year, month, day, hour, minute, second, weekday = time.gmtime(unix_s - shift)[:7]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))


def idf_heap_free():
    """Free bytes of the IDF heap, where WiFi, TLS and the I2S buffer live; None without one."""
    try:
        import esp32
    except ImportError:
        return None
    return sum(region[1] for region in esp32.idf_heap_info(esp32.HEAP_DATA))
