"""The fakes of the chip behave as MicroPython on ESP32 does where the firmware leans on it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from noisewarden.errors import UserError
from noisewarden.virtual import chip
from noisewarden.virtual.air import Air
from noisewarden.virtual.fast import BoxStopped, run_fast
from system.boxes import (
    LISTENER,
    MICROPHONE,
    PATIENCE_S,
    Log,
    Terminal,
    box,
    flash,
    processes,
    ramp,
    run,
    until,
)

# Virtual time.


def test_time_moves_with_the_sound(tmp_path: Path) -> None:
    main = (
        MICROPHONE
        + """
import asyncio
start = time.ticks_us()
async def listen():
    stream = asyncio.StreamReader(microphone())
    block = bytearray(480 * 8)
    view = memoryview(block)
    for n in range(300):
        got = 0
        while got < len(block):
            got += await stream.readinto(view[got:])
        if n % 100 == 99:
            print("second", (time.ticks_diff(time.ticks_us(), start) + 5000) // 10000)
async def beat():
    while True:
        await asyncio.sleep_ms(700)
        print("beat", (time.ticks_diff(time.ticks_us(), start) + 5000) // 10000)
async def main():
    asyncio.create_task(beat())
    await listen()
asyncio.run(main())
"""
    )
    lines = run(tmp_path, main, 3)
    beats = ["beat 70", "second 100", "beat 140", "second 200", "beat 210", "beat 280"]
    assert lines == [*beats, "second 300"]
    assert run(tmp_path, main, 3) == lines


def test_samples_arrive_whole_and_in_order(tmp_path: Path) -> None:
    main = (
        MICROPHONE
        + """
from array import array
heard = bytearray()
stream = microphone()
block = bytearray(480 * 8)
while True:
    got = stream.readinto(block)
    heard += block[:got]
    if got < len(block):
        break
words = array("i", heard)
frames = len(words) // 2
print(frames, all(words[2 * n] == n and words[2 * n + 1] == -n for n in range(frames)))
"""
    )
    assert run(tmp_path, main, 0.503) == ["24144 True"]


@pytest.mark.parametrize(
    ("frames", "reads"),
    [
        # The driver notices that it is empty when a read comes short.
        (480, ["1 0", "1 256", "1 256", "1 256", "1 256", "nothing"]),
        # So after one that took all, a poll promises too much.
        (256, ["1 0", "1 256", "1 0", "1 256", "1 0", "nothing"]),
    ],
)
def test_a_polled_read_gives_what_is_there(tmp_path: Path, frames: int, reads: list[str]) -> None:
    main = (
        MICROPHONE
        + f"""
import select
stream = microphone()
poll = select.poll()
poll.register(stream, select.POLLIN)
block = bytearray({frames} * 8)
for _ in range(5):
    print(len(poll.poll()), stream.readinto(block) // 8)
print(len(poll.poll(0)) or "nothing")
"""
    )
    assert run(tmp_path, main) == reads


def test_the_box_has_a_second_to_finish_after_the_sound(tmp_path: Path) -> None:
    main = (
        MICROPHONE
        + """
stream = microphone()
start = time.ticks_ms()
block = bytearray(4800 * 8)
while stream.readinto(block):
    pass
while True:
    time.sleep_ms(100)
    print(time.ticks_diff(time.ticks_ms(), start))
"""
    )
    lines = run(tmp_path, main, 2)
    assert 800 <= int(lines[-1]) - int(lines[0]) <= 1000


def test_a_loop_on_the_clock_ends(tmp_path: Path) -> None:
    main = """
import time
start = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), start) < 20:
    pass
began = time.time()
time.sleep(2.5)
print(time.time() - began)
"""
    assert run(tmp_path, main) in (["2"], ["3"])


def test_the_clock_starts_in_2000_or_as_told(tmp_path: Path) -> None:
    main = """
import machine, time
print(time.gmtime(0)[:6], time.gmtime()[:6], machine.RTC().datetime()[:7])
machine.RTC().datetime((2026, 11, 24, 1, 19, 59, 58, 0))
time.sleep(3)
print(time.localtime(time.mktime(time.gmtime()))[:7])
"""
    start = "(2000, 1, 1, 0, 0, 0)"
    unset, later = run(tmp_path, main)
    assert unset == f"{start} {start} (2000, 1, 1, 5, 0, 0, 0)"
    assert later == "(2026, 11, 24, 20, 0, 1, 1)"
    told, _ = run(tmp_path, main, unix_s=1_780_000_000)
    assert told == f"{start} (2026, 5, 28, 20, 26, 40) (2026, 5, 28, 3, 20, 26, 40)"


@pytest.mark.parametrize(
    ("main", "cause"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import machine\nmachine.reset()", "reset itself, cause 2"),
        (
            "import machine, time\nmachine.WDT(timeout=3000).feed()\ntime.sleep(4)",
            "reset itself, cause 3",
        ),
        ("import nothing", "nothing"),
    ],
)
def test_a_failure_in_virtual_time_is_told(tmp_path: Path, main: str, cause: str) -> None:
    with pytest.raises(BoxStopped, match=cause):
        run(tmp_path, main)


def test_trouble_in_the_sound_is_told(tmp_path: Path) -> None:
    def broken():
        yield from ramp(0.5)
        raise UserError("the file has gone")

    with pytest.raises(UserError, match="has gone"):
        list(run_fast(flash(tmp_path, main=LISTENER), broken()))


def test_a_run_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    lines = run_fast(flash(tmp_path, main=LISTENER), ramp(600))
    next(lines)
    lines.close()
    until(lambda: not processes(tmp_path), lambda: f"still there: {processes(tmp_path)}")


# The parts of the chip.


def test_the_box_sees_its_own_flash_alone(tmp_path: Path) -> None:
    main = """
import os, sys
print(os.listdir("/"), os.getcwd(), sys.path)
print([(entry[0], entry[3]) for entry in os.ilistdir("/")])
os.mkdir("journal")
with open("/journal/0.bin", "wb") as file:
    file.write(b"abc")
os.rename("/journal/0.bin", "/journal/1.bin")
"""
    files, sizes = run(tmp_path, main)
    assert files == "['main.py'] / ['', '.frozen', '/lib']"
    assert sizes == f"[('main.py', {len(main)})]"
    assert (tmp_path / "flash/journal/1.bin").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("rate=16000", "ValueError"),
        ("bits=16", "ValueError"),
        ("sd=33", "ValueError"),
        ("mck=Pin(0)", "TypeError"),
    ],
)
def test_a_microphone_wired_otherwise_is_refused(tmp_path: Path, change: str, error: str) -> None:
    with pytest.raises(BoxStopped, match=error):
        run(tmp_path, MICROPHONE + f"microphone({change})")


def test_i2s_wants_every_argument(tmp_path: Path) -> None:
    with pytest.raises(BoxStopped, match="TypeError"):
        run(tmp_path, "from machine import I2S, Pin\nI2S(0, sck=Pin(1), ws=Pin(2), sd=Pin(3))")


def test_changes_of_pins_and_writes_of_the_matrix_are_reported(tmp_path: Path) -> None:
    main = """
import machine, neopixel, time
lamp = machine.Pin(32, machine.Pin.OUT, value=0)
lamp.value(1); lamp.on(); lamp(1)
time.sleep_ms(250)
lamp.off()
chain = neopixel.NeoPixel(machine.Pin(27), 2)
chain[0] = (1, 2, 3)
chain.write()
chain.buf[:] = bytes(6)
chain.write()
button = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
print(lamp(), chain[1], len(chain), button.value())
"""
    log = Log()
    assert run(tmp_path, main, on_event=log) == ["0 (0, 0, 0) 2 1"]
    told = [event for event in log.events if event["event"] != "start"]
    assert told == [
        {"event": "pin", "t": 0, "pin": 32, "value": 0},
        {"event": "pin", "t": 0, "pin": 32, "value": 1},
        {"event": "pin", "t": 250, "pin": 32, "value": 0},
        {"event": "matrix", "t": 250, "grb": "020103000000"},
        {"event": "matrix", "t": 250, "grb": "000000000000"},
    ]


def test_the_rest_of_the_chip_answers(tmp_path: Path) -> None:
    main = """
import esp32, machine, network
print(machine.reset_cause() == machine.PWRON_RESET, len(machine.unique_id()), machine.freq())
print(len(esp32.idf_heap_info(esp32.HEAP_DATA)[0]))
station = network.WLAN(network.WLAN.IF_STA)
station.active(True)
station.connect("street", "secret")
print(station.isconnected(), station.status() == network.STAT_CONNECTING)
memory = machine.RTC().memory
memory(b"x" * 2048)
print(len(memory()))
memory(b"x" * 2049)
"""
    lines = []
    with pytest.raises(BoxStopped, match="buffer too long"):
        for line in run_fast(flash(tmp_path, main=main), ramp(0)):
            lines.append(line)
    assert lines == ["True 6 240000000", "4", "False True", "2048"]


# Real time.


RADIO = """
import network, time
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.config(reconnects=0)
while True:
    wlan.connect("street", "a long password")
    try:
        wlan.connect("street", "a long password")
    except OSError as error:
        print(error)
    time.sleep(0.5)
    print("status", wlan.status())
    while wlan.isconnected():
        time.sleep(0.01)
    print("then", wlan.status())
    wlan.disconnect()
    time.sleep(0.2)
"""
"""A main.py that tries for ever, and calls `connect` once too often."""


def test_the_radio_finds_what_is_in_the_air(tmp_path: Path) -> None:
    air = Air()
    with box(tmp_path, RADIO, air=air) as running, Terminal(running.port) as terminal:
        terminal.expect("Wifi Internal Error")
        terminal.expect("status 201")
        air.network("street", "another one")
        terminal.expect("status 202")
        air.network("street", "a long password")
        terminal.expect("status 1010")
        air.silence()
        terminal.expect("then 200")
        terminal.expect("status 201")


COLLECTOR = """
import gc, time
kept = [[] for _ in range(20000)]
print("collects")
try:
    while True:
        gc.collect()
        time.sleep_ms(1)
except KeyboardInterrupt:
    print("interrupted", len(bytes(1000)))
"""
"""A main.py that is nearly always in the middle of a garbage collection."""


def test_ctrl_c_leaves_the_heap_as_a_chip_does(tmp_path: Path) -> None:
    with box(tmp_path, COLLECTOR) as running, Terminal(running.port) as terminal:
        running.cut_power()  # what it said before is lost
        for _ in range(20):
            terminal.expect("collects")
            terminal.type("\x03")
            terminal.expect("interrupted 1000")
            terminal.expect(">>> ")
            terminal.type("\x04")
            terminal.expect("soft reboot")


def dropped(folder: Path, main: str) -> Iterator[int]:
    """Frames that a box with this main.py loses of 3 s; of some tries, since a busy PC adds to it.

    The sound goes on for a second after its end.
    """
    for each in range(4):
        state = folder / str(each)
        state.mkdir()
        with box(state, main, 2) as running:
            assert running.wait(PATIENCE_S)
            assert running.feeder.offered > 2.9 * 48_000
            yield running.feeder.dropped


@pytest.mark.timed
def test_no_frame_is_lost_while_the_box_listens(tmp_path: Path) -> None:
    assert 0 in dropped(tmp_path, LISTENER)


@pytest.mark.timed
def test_what_finds_the_buffer_full_is_lost_in_silence(tmp_path: Path) -> None:
    main = (
        MICROPHONE
        + """
stream = microphone()
block = bytearray(4800 * 8)
stream.readinto(block)
time.sleep_ms(600)
while True:
    stream.readinto(block)
"""
    )
    lost_s = min(dropped(tmp_path, main)) / 48_000
    assert lost_s == pytest.approx(0.6 - 40_960 / 8 / 48_000, abs=0.08)


def test_a_watchdog_that_is_not_fed_resets_the_chip(tmp_path: Path) -> None:
    main = """
import machine, time
memory = machine.RTC().memory
lamp = machine.Pin(32, machine.Pin.OUT, value=0)
print("cause", machine.reset_cause(), memory())
if machine.reset_cause() == machine.PWRON_RESET:
    memory(b"kept")
    lamp.on()
    watchdog = machine.WDT(timeout=300)
    for _ in range(10):
        watchdog.feed()
        time.sleep_ms(60)
while True:
    time.sleep(1)
"""
    log = Log()
    with box(tmp_path, main, on_event=log) as running:
        lit = log.wait_for("relay")
        reset = log.wait_for("reset")
        dark = log.wait_for("relay")
        assert (lit["on"], dark["on"]) == (True, False)
        assert reset["cause"] == chip.WDT_RESET
        log.wait_for("start")
        time.sleep(0.6)
        assert running.lives == 2


def test_each_reset_has_its_cause_and_power_alone_forgets(tmp_path: Path) -> None:
    main = """
import machine, sys, time
lives = (machine.RTC().memory() or b"0").decode()
with open("log", "a") as file:
    print(machine.reset_cause(), lives, time.time() > 100, file=file)
machine.RTC().memory(str(int(lives) + 1).encode())
if lives == "0":
    machine.RTC().datetime((2026, 6, 1, 0, 12, 0, 0, 0))
    machine.reset()
if lives == "1":
    sys.exit()
print("waiting")
time.sleep(60)
"""
    log = Log()
    with box(tmp_path, main, on_event=log) as running:
        told = tmp_path / "flash/log"

        def lines() -> list[str]:
            return told.read_text().splitlines() if told.exists() else []

        until(lambda: len(lines()) == 3, lambda: f"{lines()}")
        running.cut_power()
        until(lambda: len(lines()) == 6, lambda: f"{lines()}")
    first = [
        f"{chip.PWRON_RESET} 0 False",
        f"{chip.HARD_RESET} 1 True",
        f"{chip.SOFT_RESET} 2 True",
    ]
    assert lines() == first + first


def test_a_pressed_button_is_seen(tmp_path: Path) -> None:
    main = """
import machine
with open("level", "w") as file:
    file.write(str(machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP).value()))
"""
    told = tmp_path / "flash/level"
    with box(tmp_path, main, pins="4:0"):
        until(lambda: told.exists() and told.read_text(), lambda: "no level")
    assert told.read_text() == "0"


def test_a_chip_that_cannot_start_is_told_in_one_line(tmp_path: Path) -> None:
    with (
        box(tmp_path, LISTENER, heap="2K") as running,
        pytest.raises(UserError, match=r"MicroPython (does not start|dies as it starts)"),
    ):
        running.wait(PATIENCE_S)


def test_the_end_leaves_no_process_and_no_link_but_the_flash(tmp_path: Path) -> None:
    with box(tmp_path, LISTENER):
        until(lambda: processes(tmp_path), lambda: "no process")
        assert (tmp_path / "port").is_symlink()
    assert not processes(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flash"]


def test_a_host_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    flash(tmp_path, main=LISTENER)
    program = f"""
import sys, time
from pathlib import Path
sys.path[:0] = {[str(Path(__file__).parents[1])]!r}
from system.boxes import BOARD, ramp
from noisewarden.virtual.supervisor import VirtualBox
with VirtualBox(Path({str(tmp_path)!r}), ramp(60), board=BOARD) as box:
    box.wait()
"""
    host = subprocess.Popen([sys.executable, "-c", program])
    until(lambda: processes(tmp_path), lambda: "no process")
    time.sleep(0.5)
    host.kill()
    host.wait()
    until(lambda: not processes(tmp_path), lambda: f"still there: {processes(tmp_path)}")
