"""What a doctor concludes from what a box and a technician tell; the whole of it on a virtual box
is tests/system/test_doctor.py."""

import itertools
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from host.eyes import Eyes
from noisewarden import boards, ports
from noisewarden.bench.deploy import Survey
from noisewarden.bench.doctor import chip, firmware, pictures, port, room, show, sound, uplink
from noisewarden.bench.doctor.check import Check, from_error
from noisewarden.bench.doctor.prompt import Findings
from noisewarden.bench.doctor.technician import Nobody
from noisewarden.bench.manifest import bundle, digests
from noisewarden.bench.tools import Unreachable
from noisewarden.errors import UserError
from noisewarden.firmware import display, journal, panel
from noisewarden.station.authority import Authority

BOARD = boards.load("esp32-devkitc")
MATRIX = BOARD["matrix"]
XTENSAWIN = 10


def told(check: Check, state: str, words: str) -> None:
    """`words` are patterns of what was found and of the cure, with → in between."""
    assert check.state == state, check
    found, _, cure = words.partition(" → ")
    assert re.search(found, check.found), check
    assert re.search(cure, check.cure), check
    assert bool(check.cure) == (state != "pass")
    assert "\n" not in check.found + check.cure


def test_an_error_becomes_a_line_with_its_cure_and_names_no_other_command() -> None:
    error = UserError("/dev/ttyUSB0: the box is gone; plug it in and deploy again")
    told(from_error("port", error), "fail", "USB0: the box is gone$ → plug it in and run doctor")
    error = UserError("COM3: the chip does not answer; hold BOOT, and run flash again (as it was)")
    told(from_error("chip", error), "fail", "answer$ → hold BOOT, and run doctor again")


# Port and chip.


def test_a_port_is_found_by_the_usb_ids_of_any_board(monkeypatch) -> None:
    plugged = [SimpleNamespace(device="/dev/ttyACM3", vid=0x303A, pid=0x1001)]
    monkeypatch.setattr(ports.list_ports, "comports", lambda: plugged)
    assert port.find(None) == "/dev/ttyACM3"
    assert port.find(boards.load("esp32-s3-devkitc-1")) == "/dev/ttyACM3"
    with pytest.raises(UserError, match="none is plugged in"):
        port.find(BOARD)
    plugged *= 2
    with pytest.raises(UserError, match=r"any of .* could be it; unplug the others"):
        port.find(None)
    with pytest.raises(UserError, match=r"virtual: has no USB .* name its port"):
        port.find(boards.load("virtual"))


@pytest.mark.parametrize(
    ("app", "state", "words"),
    [
        ({"box": "b", "state": {"firmware": "0.1.0"}}, "pass", "b runs, firmware 0.1.0"),
        ({"prompt": True, "words": ">>>"}, "warn", "prompt answers → doctor starts it"),
        ({"words": "waiting for download"}, "warn", "waiting for download → press EN"),
        ({}, "warn", "not a word → press EN"),
    ],
)
def test_who_answers(app: dict[str, Any], state: str, words: str) -> None:
    silent = {"box": "", "state": {}, "prompt": False, "words": ""}
    told(chip.start(SimpleNamespace(**silent | app)), state, words)


FILES = bundle(BOARD)
GOOD = Findings(
    survey=Survey((1, 28, 0), XTENSAWIN << 10 | 6, 2_000_000, digests(FILES), {}),
    machine="Generic ESP32 module with ESP32",
    manifest=digests(FILES),
    waiting=False,
    board=boards.for_box(BOARD),
    secret=32,
    journal=[],
    ca=b"",
)


def surveyed(**changes: Any) -> Findings:
    return replace(GOOD, survey=replace(GOOD.survey, **changes))


@pytest.mark.parametrize(
    ("findings", "states", "words"),
    [
        (GOOD, "pass pass", "ESP32"),
        (replace(GOOD, machine="Generic ESP32 module with ESP32-UNICORE"), "pass pass", "ESP32"),
        (
            replace(GOOD, machine="ESP32S3 module with SPIRAM with ESP32S3"),
            "pass fail",
            "ESP32-S3",
        ),
        (replace(GOOD, machine="Raspberry Pi Pico with RP2040"), "pass fail", "rp2040"),
        (surveyed(micropython=(1, 27, 0)), "fail pass", "ESP32"),
        (surveyed(mpy=11 << 10), "fail pass", "ESP32"),
    ],
)
def test_micropython_and_chip(findings: Findings, states: str, words: str) -> None:
    micropython, chips = chip.of_prompt(findings, BOARD)
    assert f"{micropython.state} {chips.state}" == states
    assert words in chips.found
    assert micropython.state == "pass" or micropython.cure
    assert chips.state == "pass" or "board" in chips.cure


def test_without_its_board_nobody_asks_the_boot_loader() -> None:
    error = Unreachable("/dev/ttyUSB0: does not come to its prompt; hold its button, deploy again")
    told(chip.of_loader("/dev/ttyUSB0", None, "", error), "fail", "prompt → hold its button")


# Firmware.


def here(**changes: str | None) -> Findings:
    """A box with other files in place."""
    files = {path: digest for path, digest in (digests(FILES) | changes).items() if digest}
    return surveyed(here=files)


def of_version(findings: Findings) -> Findings:
    """Whose manifest is that of its files."""
    return replace(findings, manifest=findings.survey.here)


@pytest.mark.parametrize(
    ("findings", "state", "words"),
    [
        (GOOD, "pass", f"{len(FILES)} files, whole"),
        (replace(GOOD, manifest=None), "fail", "without a whole manifest → noisewarden deploy"),
        (replace(surveyed(here={}), manifest=None), "fail", "there are none → deploy"),
        (here(**{"noisebox/app.mpy": "0"}), "fail", r"1 of its .* \(noisebox/app.mpy\) → deploy"),
        (here(**{"noisebox/app.mpy": None}), "fail", "missing"),
        (of_version(here(**{"main.py": "0"})), "warn", r"1 of its .* \(main.py\) → deploy"),
        (
            of_version(here(**{"noisebox/app.mpy": None})),
            "warn",
            "differ from those of this computer",
        ),
        (here(**{"noisebox/zone.py": "0"}), "warn", "zone.py"),
        (here(**{"notes.py": "0"}), "pass", "whole"),
        (replace(GOOD, waiting=True), "warn", "broken off → deploy --board esp32-devkitc"),
    ],
)
def test_the_firmware_is_whole_and_that_of_this_computer(
    findings: Findings, state: str, words: str
) -> None:
    told(next(firmware.checks(findings, BOARD, FILES)), state, words)


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({}, "pass", "esp32-devkitc"),
        ({"board": "esp32-wrover"}, "fail", "as esp32-wrover .* → --board esp32-wrover, or"),
        ({"pins": BOARD["pins"] | {"sck": 5}}, "fail", "differs .* in pins.sck → deploy"),
        (
            {"relay": {"active_high": False}, "new": 1},
            "fail",
            "in new, relay.active_high → deploy",
        ),
    ],
)
def test_the_box_is_wired_as_its_board_file_says(changes, state: str, words: str) -> None:
    *_, board = firmware.checks(replace(GOOD, board=GOOD.board | changes), BOARD, FILES)
    told(board, state, words)


def test_a_box_that_knows_no_board() -> None:
    *_, board = firmware.checks(replace(GOOD, board={}), BOARD, FILES)
    told(board, "fail", "no board.json → deploy")


# Sound.


def second(laeq: float | None = 30.0, flags: str = "", **levels: float) -> dict[str, Any]:
    lafmax = None if laeq is None else laeq + 3
    lcpeak = None if laeq is None else laeq + 20
    return {"laeq": laeq, "lafmax": lafmax, "lcpeak": lcpeak, "flags": flags.split()} | levels


class Told:
    """An app that has told these seconds, and then falls silent."""

    def __init__(self, *seconds: dict[str, Any]) -> None:
        self._seconds = list(seconds)

    def next_reading(self) -> dict[str, Any] | None:
        return self._seconds.pop(0) if self._seconds else None

    def catch_up(self) -> None:
        pass


class Person:
    """A technician who gives these answers, in order."""

    there = True

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []

    def ask(self, question: str, answers: dict[str, str]) -> str:
        answer = self.answers.pop(0)
        assert answer in answers, question
        return answer

    def ready(self, request: str) -> None:
        self.requests.append(request)


def heard(*seconds: dict[str, Any], technician: Any = None) -> dict[str, Check]:
    checks = sound.checks(Told(*seconds), BOARD, technician or Nobody())
    return {check.name: check for check in checks}


QUIET = [second(None, "warmup"), *[second(38.0 + n % 2) for n in range(sound.QUIET_S)]]


def test_a_quiet_room_passes_and_the_warm_up_does_not_count() -> None:
    checks = heard(*QUIET)
    told(checks["microphone"], "pass", "INMP441 is heard in the left slot")
    told(checks["noise floor"], "pass", r"38.0 dB in 5 s, over 1.0 dB; the INMP441's .* 33 dB")
    told(checks["clap"], "skip", "nobody is asked → terminal")
    assert len(checks) == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([second(None, "dead")], "constant, silent .* → SCK to GPIO 26, WS to GPIO 25, SD to GPI"),
        ([second(), second(None, "slot")], r"the other slot → L/R \(SEL\) pin to GND"),
        ([second(None, "dead lost")], "constant, silent or shifted"),
        ([], "no readings → reset the box"),
        ([second(None, "lost")] * 5, "no second has a level, .* lost → WiFi that connects"),
    ],
)
def test_wrong_wiring_leaves_nothing_to_measure(seconds, words: str) -> None:
    checks = heard(*seconds)
    told(checks["microphone"], "fail", words)
    for name in ("noise floor", "clap"):
        told(checks[name], "skip", "without a signal → mend that first")


def test_a_microphone_that_is_read_a_bit_late_is_told_by_its_board_file() -> None:
    board = BOARD | {"microphone": "SPH0645"}
    check = next(sound.checks(Told(second(None, "dead")), board, Nobody()))
    told(check, "fail", "shifted by a bit → it is the SPH0645 .*; 18 bits of 24")


@pytest.mark.parametrize(
    ("laeq", "state", "words"),
    [
        (29.0, "fail", "29.0 dB .* → no microphone reads less than its noise"),
        (31.0, "pass", "31.0 dB"),
        (44.9, "pass", "44.9 dB"),
        (45.2, "warn", "below 45 dB → quieter room"),
    ],
)
def test_the_noise_floor(laeq: float, state: str, words: str) -> None:
    told(heard(*[second(laeq)] * sound.QUIET_S)["noise floor"], state, words)


@pytest.mark.parametrize("flag", ["lost", "overload", "wind"])
def test_flags_that_a_quiet_room_does_not_raise(flag: str) -> None:
    checks = heard(*QUIET[:4], second(38.0, flag), second(38.0, f"{flag} uncalibrated clock"))
    told(checks[flag], "warn", "in 2 of 5 s → .")
    assert len(checks) == 4


@pytest.mark.parametrize(
    ("laeq", "levels", "state", "words"),
    [
        (60.0, {"lafmax": 85.0, "lcpeak": 112.0}, "pass", "LAFmax rose by 44 dB, LCpeak by 54"),
        (
            60.0,
            {"lafmax": 60.0, "lcpeak": 112.0},
            "fail",
            "by 19 dB, LCpeak by 54.* → free the so",
        ),
        (60.0, {"lafmax": 85.0, "lcpeak": 77.0}, "fail", "LCpeak by 19"),
        (None, {}, "fail", "rose by 2 dB, LCpeak by 2"),
    ],
)
def test_a_clap(laeq, levels: dict[str, float], state: str, words: str) -> None:
    person = Person()
    clap = second(laeq, **levels)
    told(heard(*QUIET, second(40.0), clap, technician=person)["clap"], state, words)
    assert [request[:8] for request in person.requests] == ["be quiet", "then cla"]


def test_no_clap_is_waited_for_no_longer_than_said() -> None:
    app = Told(*QUIET, *[second(38.0)] * sound.CLAP_WITHIN_S, second(90.0))
    *_, clap = sound.checks(app, BOARD, Person())
    told(clap, "fail", "rose by 0 dB.* → clap nearer")
    assert app.next_reading()


# What is shown.


ORDERS = ["".join(order) for order in itertools.permutations("RGB")]
WAYS = [
    {"first": first, "lines": lines, "serpentine": serpentine, "rotation": rotation}
    for first in ("top-left", "top-right", "bottom-left", "bottom-right")
    for lines in ("rows", "columns")
    for serpentine in (True, False)
    for rotation in (0, 90, 180, 270)
]


def shown(truth: dict[str, Any], board: dict[str, Any] = BOARD) -> dict[str, Check]:
    eyes = Eyes(board["matrix"] | truth)
    return {check.name: check for check in show.matrix(eyes.draw, board, eyes)}


def mended(check: Check) -> dict[str, Any]:
    """The matrix of the board file once the cure has been followed."""
    written = check.cure.removeprefix("write ").partition(" under [matrix] of esp32-devkitc.toml")[
        0
    ]
    pairs = [pair.split(" = ") for pair in written.split(", ")]
    return MATRIX | {key: json.loads(value) for key, value in pairs}


def test_a_matrix_that_is_as_its_board_file_says() -> None:
    checks = shown({})
    told(checks["colours"], "pass", "red, green, blue and white")
    told(checks["order"], "pass", "147 is upright")


@pytest.mark.parametrize("colours", [order for order in ORDERS if order != MATRIX["colours"]])
def test_wrong_colours_lead_to_the_right_order_of_them(colours: str) -> None:
    check = shown({"colours": colours})["colours"]
    told(check, "fail", "looks → under .matrix. of esp32-devkitc.toml, and deploy again")
    assert mended(check)["colours"] == colours


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_a_matrix_that_hangs_otherwise_leads_to_the_keys_that_are_wrong(way) -> None:
    truth = MATRIX | way
    check = shown(way)["order"]
    if list(panel.chain(truth)) == list(panel.chain(MATRIX)):
        told(check, "pass", "upright")
        return
    told(check, "fail", "turned, mirrored or scrambled → write ")
    right = mended(check)
    assert panel.seen_size(right) == panel.seen_size(truth)
    assert list(panel.chain(right)) == list(panel.chain(truth))


def answered(*answers: str) -> dict[str, Check]:
    pictures_drawn: list[bytes] = []
    checks = list(show.matrix(pictures_drawn.append, BOARD, Person(*answers)))
    assert not any(pictures_drawn[-1])
    return {check.name: check for check in checks}


@pytest.mark.parametrize(
    ("answers", "name", "state", "words"),
    [
        ("d", "colours", "fail", "stays dark → GPIO 27 through the level shifter"),
        ("d", "order", "skip", "dark matrix → first"),
        ("r o b y", "colours", "fail", "green looks otherwise → level shifter"),
        ("r g b e y", "colours", "warn", "supply drops → 5 V at both ends"),
        ("r g b p y", "colours", "fail", "does not light → 32 × 8 LEDs"),
        ("r g b y n o", "order", "fail", "does not begin in a corner → own DIN"),
        ("r g b y n tl y c n", "order", "warn", "as the board file says → look again"),
    ],
)
def test_other_answers(answers: str, name: str, state: str, words: str) -> None:
    told(answered(*answers.split())[name], state, words)


@pytest.mark.parametrize("board", [one["board"] for one in boards.load_all()])
@pytest.mark.parametrize("channels", ["R", "G", "B", "RGB"])
def test_no_picture_is_over_the_budget(board: str, channels: str) -> None:
    matrix = boards.load(board)["matrix"]
    for budget_ma in (matrix["budget_ma"], panel.least_budget_ma(matrix)):
        tight = matrix | {"budget_ma": budget_ma}
        measured = display.Display(tight)
        measured.buffer[:] = pictures.whole(tight, channels)
        assert any(measured.buffer) and panel.current_ma(tight, measured.buffer) <= budget_ma


class Lamp:
    """A prompt that lights the lamp, or says why not."""

    def __init__(self, why: str = "") -> None:
        self._why = why

    def draw(self, board: dict[str, Any], picture: bytes) -> None:
        pass

    def light(self, board: dict[str, Any], seconds: int) -> str:
        return self._why


@pytest.mark.parametrize(
    ("why", "answer", "state", "words"),
    [
        ("", "y", "pass", "lit for 5 s, GPIO 32"),
        ("", "c", "fail", "lamp stays dark → COM and NO"),
        ("", "i", "fail", r"wrong way .* → write active_high = false under \[relay\] of esp32-d"),
        ("", "n", "fail", "nothing → GPIO 32"),
        ("hour used up", "", "skip", "hour used up → in an hour"),
    ],
)
def test_the_relay(why: str, answer: str, state: str, words: str) -> None:
    person = Person(*"rgbyy", answer)
    *_, relay = show.checks(Lamp(why), BOARD, person)
    told(relay, state, words)
    assert person.requests and "spotlight" in person.requests[0]


def test_nobody_is_shown_anything() -> None:
    checks = list(show.checks(None, BOARD, Nobody()))  # type: ignore[arg-type]
    assert [check.name for check in checks] == ["colours", "order", "relay"]
    for check in checks:
        told(check, "skip", "nobody is asked → terminal")


# Network.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.in_folder(tmp_path_factory.mktemp("station"))


def tried(ca: bytes, *answers: dict[str, Any]) -> dict[str, Check]:
    prompt = SimpleNamespace(answers=lambda script: iter(answers))
    return {check.name: check for check in uplink.checks(prompt, ca)}


def wifi(**changes: Any) -> dict[str, Any]:
    """What a box tells of its network; nothing is at that address for this computer."""
    return {"ssid": "square", "station": "127.0.0.1", "port": 1} | changes


JOINED = {"address": "192.168.1.7", "signal": -60}


def test_a_box_that_was_not_provisioned() -> None:
    (check,) = tried(b"", {"problems": []}).values()
    told(check, "warn", "on USB only → noisewarden provision")


def test_what_is_wrong_with_its_files_is_told_without_a_value() -> None:
    problems = ["network.json: ssid: is missing", "ca.der: is missing; provision the box again"]
    checks = list(
        uplink.checks(SimpleNamespace(answers=lambda script: [{"problems": problems}]), b"")
    )
    told(checks[0], "fail", "ssid: is missing → noisewarden provision")
    told(checks[1], "fail", "ca.der: is missing$ → provision the box again")


@pytest.mark.parametrize(
    ("answer", "name", "state", "words"),
    [
        ({"cause": "no network of this name"}, "WiFi", "fail", "no network of .* → 2.4 GHz"),
        ({"cause": "password refused"}, "WiFi", "fail", "password refused → name and password"),
        ({"cause": "password refused"}, "station", "skip", "without WiFi → first"),
        (JOINED, "WiFi", "pass", "joined square as 192.168.1.7, -60 dBm"),
        (JOINED | {"signal": -80}, "WiFi", "warn", "-80 dBm, which is weak → nearer"),
        (JOINED | {"logged_in": True}, "station", "pass", "127.0.0.1:1 lets the box in"),
        (
            JOINED | {"kind": "OSError", "error": "111"},
            "station",
            "fail",
            r"does not reach 127.0.0.1:1: 111 \(OSError\) → --lan",
        ),
        (
            JOINED | {"reached": True, "kind": "ValueError", "error": "not trusted"},
            "station",
            "fail",
            "not the box's station: not trusted → provision",
        ),
        (
            JOINED | {"reached": True, "kind": "MqttError", "error": "refused: not authorised"},
            "station",
            "fail",
            "does not let the box in: refused: not authorised .* → registered",
        ),
        (
            JOINED | {"reached": True, "kind": "OSError", "error": "ECONNREFUSED", "errno": 111},
            "station",
            "fail",
            "does not reach .* ECONNREFUSED → --lan",
        ),
        (
            JOINED | {"reached": True, "kind": "TimeoutError", "error": "", "errno": None},
            "station",
            "fail",
            "does not reach → firewall",
        ),
        (
            JOINED | {"reached": True, "kind": "OSError", "error": "-29312", "errno": -29312},
            "station",
            "fail",
            "breaks off the handshake → is it the station",
        ),
        (JOINED, "from here", "warn", "not to be reached: Connection refused → firewall"),
        ({"station": "192.168..1.20"}, "from here", "warn", "not to be reached: .* → address"),
    ],
)
def test_wifi_and_station(
    authority: Authority, answer: dict[str, Any], name: str, state: str, words: str
) -> None:
    told(tried(authority.ca_der, {"problems": []}, wifi(), answer)[name], state, words)


@contextmanager
def server(context: ssl.SSLContext | None) -> Iterator[int]:
    """A port that speaks TLS, or says something else."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    if context:
                        context.wrap_socket(connection, server_side=True).close()
                    else:
                        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                        connection.recv(1024)
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("kind", "state", "words"),
    [
        ("own", "pass", "from the box's authority"),
        ("other", "fail", "is not the box's station: .* → provision the box again"),
        ("no TLS", "fail", "does not speak TLS → --lan"),
    ],
)
def test_the_station_from_here(
    authority: Authority, tmp_path, kind: str, state: str, words: str
) -> None:
    other = Authority.in_folder(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(other if kind == "other" else authority).server_files())
    with server(None if kind == "no TLS" else context) as free:
        checks = tried(authority.ca_der, {"problems": []}, wifi(port=free), JOINED)
    told(checks["from here"], state, words)


@pytest.mark.parametrize("ca", [b"", b"torn"])
def test_a_certificate_that_is_none(ca: bytes) -> None:
    told(tried(ca, {"problems": []}, wifi())["from here"], "fail", "ca.der is no cert → provision")


# Clock, memory, calibration.

DAY_S = 86400
STATE = {
    "restarts": 0,
    "uptime_s": 7,
    "heap_free": 60_000,
    "idf_heap_free": 65_000,
    "records": [1, 9],
    "calibrated_until": 4_102_444_800,
    "void": "",
    "offset_db": -0.5,
}


def of_app(clock: str = "right", clock_set: str = "set now", journal: str = "ok", **state: Any):
    app = SimpleNamespace(
        port="P",
        clock=clock,
        clock_set=clock_set,
        state=STATE | state,
        self_test={"journal": journal},
    )
    return {check.name: check for check in room.of_app(app)}


def test_a_box_in_good_order() -> None:
    checks = of_app() | {check.name: check for check in room.of_prompt(GOOD)}
    assert {check.state for check in checks.values()} == {"pass"}
    assert "until 2099-12-31, offset -0.50 dB" in checks["calibration"].found


@pytest.mark.parametrize(
    ("changes", "name", "state", "words"),
    [
        ({"clock": "was not set"}, "clock", "warn", "was not set; set now → until the power"),
        (
            {"clock": "was 9 s behind", "clock_set": "left so, since this computer does not know"},
            "clock",
            "warn",
            "9 s behind; left so → set this computer's clock",
        ),
        ({"restarts": 2}, "tasks", "warn", "2 failed → collect --port P"),
        ({"heap_free": 9000}, "heap", "warn", "9000 bytes free, and 16384 → PSRAM"),
        ({"idf_heap_free": 9000}, "IDF heap", "warn", "and 43008 are needed → PSRAM"),
        ({"idf_heap_free": None}, "IDF heap", "skip", "does not tell → deploy"),
        ({"journal": "flash: EIO"}, "journal", "fail", "EIO → collect"),
        ({"calibrated_until": 0}, "calibration", "warn", "never → noisewarden calibrate --port P"),
        ({"void": "dropped"}, "calibration", "warn", "void: dropped → calibrate"),
        ({"calibrated_until": 1}, "calibration", "warn", "its last day was 1970-01-01 → cal"),
        (
            {"calibrated_until": time.time() + 2 * DAY_S},
            "calibration",
            "warn",
            "its last day is 20 → calibrate",
        ),
    ],
)
def test_what_a_running_box_tells(changes, name: str, state: str, words: str) -> None:
    told(of_app(**changes)[name], state, words)


SEGMENT = journal.SEGMENT_BYTES


@pytest.mark.parametrize(
    ("findings", "name", "state", "words"),
    [
        (replace(GOOD, secret=None), "secret", "warn", "not there → provision"),
        (replace(GOOD, secret=31), "secret", "warn", "31 bytes instead of 32 → provision"),
        (surveyed(free=1_000_000), "flash", "fail", "769472 too few for 7 days → mpremote fs ls"),
        (
            replace(surveyed(free=10_000), journal=[SEGMENT] * (journal.SEGMENTS - 1)),
            "flash",
            "fail",
            "22768 too few",
        ),
        (replace(surveyed(free=0), journal=[SEGMENT] * journal.SEGMENTS), "flash", "pass", "has"),
    ],
)
def test_what_is_on_the_flash(findings: Findings, name: str, state: str, words: str) -> None:
    told({check.name: check for check in room.of_prompt(findings)}[name], state, words)
