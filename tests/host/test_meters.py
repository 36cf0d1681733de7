"""Reference meters: logs in their formats, and live ones as recorded bytes and on a pty."""

import os
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from host.fakehid import A_FAST, A_MAX, A_SLOW, C_FAST, FakeHid, packet
from noisewarden.bench import meters
from noisewarden.bench.calibration import procedure
from noisewarden.bench.meters import gm1356, protocol, typed, xl2_serial
from noisewarden.bench.meters.calibrator import Calibrator
from noisewarden.bench.meters.gm1356 import GM1356
from noisewarden.bench.meters.protocol import Papers
from noisewarden.bench.meters.xl2_serial import XL2
from noisewarden.errors import UserError

DATA = Path(__file__).resolve().parents[1] / "data" / "meters"
PAPERS = Papers(certificate="C-2026-001", serial="S-17", uncertainty_db=0.15)
TEN_SECONDS = [65.2, 64.8, None, 66.0, 65.1, None, 65.4, 64.9, 65.0, 65.3]
"""In every file of tests/data/meters."""


def levels(log: protocol.Log) -> list[float | None]:
    return [None if np.isnan(level) else float(level) for level in log.course.levels_db]


@pytest.mark.parametrize(
    "text", ["", " ", "-.-", "--", "----", "OL", "nan", "inf", "0", "0.0", "-999.0", "1e2", "dB"]
)
def test_what_is_no_level_is_none_and_never_zero(text):
    assert protocol.level(text) is None


@pytest.mark.parametrize(("text", "level"), [("71.3", 71.3), (" 71,3 ", 71.3), ("+94", 94.0)])
def test_a_level_has_a_decimal_point_or_comma(text, level):
    assert protocol.level(text) == level


@pytest.mark.parametrize(
    ("name", "meter", "serial", "weighting_known"),
    [
        ("xl2_123_Log.txt", "NTi XL2", "A2A-00000-E0", True),
        ("xl2_123_Rpt_Report.txt", "NTi XL2", "A2A-00000-E0", True),
        ("ip900dl.txt", "IP-900DL", "S-17", True),
        ("noise_sentry.csv", "CSV", "S-17", True),
        ("plain.csv", "CSV", "S-17", False),
    ],
)
def test_a_log_is_read_in_its_format(name, meter, serial, weighting_known):
    log = meters.read_log(DATA / name)
    assert levels(log) == TEN_SECONDS
    assert np.all(np.diff(log.course.times_s) == 1)
    instrument = log.instrument(PAPERS)
    assert (instrument.meter, instrument.serial) == (meter, serial)
    assert instrument.weighting_known == weighting_known
    assert (instrument.certificate, instrument.uncertainty_db) == ("C-2026-001", 0.15)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_log_is_read_in_any_encoding(encoding, tmp_path):
    text = (DATA / "noise_sentry.csv").read_text().replace("LEQ dB-A", "LEQ dB-A 街")
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode(encoding))
    assert levels(meters.read_log(path)) == TEN_SECONDS


def csv(*rows: str, header: str = "Time,LAeq") -> str:
    times = [f"20:00:{second:02d}" for second in range(len(rows))]
    return "\n".join([header, *map(",".join, zip(times, rows, strict=True))])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a log that is known"),
        ("GIF89a\0\0\0", "not a log that is known"),
        (csv("71.3", "71.2", header="Time,LCeq"), "set the meter to A"),
        (csv("71.3", "71.2", header="Time,Level dB(C)"), "set the meter to A"),
        (csv("71.3", "71.2", header="Time,LZeq"), "set the meter to A"),
        # Decimal commas amid commas: 71,3 must not become 71.
        (csv("71,3", "71,2"), "no levels in it"),
        (csv("--", "--", "--"), "no levels in it"),
        (csv("0.0", "0.0"), "no levels in it"),
        ("Time,LAeq\nyesterday,71.3\nnow,71.2", "cannot be read; write it as"),
        ("Time,LAeq\n20:00:00,71.3\n20:01:00,71.2", "log LAeq each second"),
        # Ten levels a second, of which the last would do for one that has LAeq,1s.
        (
            "\n".join(["Time,LAeq", *(f"20:00:0{n // 10}.{n % 10},71.3" for n in range(50))]),
            "several levels a second; set the meter to log LAeq each second",
        ),
        (csv("71.3\n20:00:00,71.2", "71.1\n20:00:01,71.4"), "several levels a second"),
        ("IP-900DL\n1-6-2026, 20:00:00, 71.2, dBC\n", "set the meter to A"),
        ("IP-900DL\n", "no levels in it"),
        ("# Broadband LOG Results\n\tDate\tTime\tLCeq_dt\n", "no column LAeq_dt"),
        # In a log that is the average since it began.
        (
            "# Broadband LOG Results\n\tDate\tTime\tLAeq\n"
            "\t2026-06-01\t20:00:00\t65.2\n\t2026-06-01\t20:00:01\t65.0\n",
            "no column LAeq_dt; set the XL2 to log LAeq_dt each second",
        ),
        ("# Broadband Results\n\tDate\tTime\tLCeq\n", "no column LAeq; set the XL2"),
    ],
)
def test_a_log_that_cannot_be_used_says_why_in_a_line(text, said, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        meters.read_log(path)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "header",
    ["Time,LZeq,LAeq", "Time,LCeq dB,LAeq dB", "Time,Leq dB(C),Leq dB(A)", "Time,dBC,dBA"],
)
def test_of_several_weightings_a_log_has_a_is_read(header, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(csv("75.2,71.3", "75.1,71.2", header=header))
    log = meters.read_log(path)
    assert levels(log) == [71.3, 71.2]
    assert log.weighting_known


def test_a_quoted_decimal_comma_parts_no_cells(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(csv('"71,3",OK', '"71,2",OK', header='"Time","LAeq","Status","Note"'))
    assert levels(meters.read_log(path)) == [71.3, 71.2]
    path.write_text(csv('"' + "x" * 200_000, "71.2"))
    with pytest.raises(UserError, match="no levels in it"):
        meters.read_log(path)


def test_a_report_by_the_minute_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="a level every 60 s"):
        meters.read_log(DATA / "xl2_minutes_123_Rpt_Report.txt")
    with pytest.raises(UserError, match="cannot be read"):
        meters.read_log(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["xl2_123_Log.txt", "ip900dl.txt", "noise_sentry.csv"])
def test_a_meter_shows_local_time(name, monkeypatch):
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    try:
        # 20:00 on 2026-06-01 is noon in Greenwich; the box counts from there.
        assert meters.read_log(DATA / name).course.times_s[0] == 1_780_315_200
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_ip900_date_may_begin_with_the_month(tmp_path):
    path = tmp_path / "log.txt"
    lines = [f"12-31-2026, 23:59:{second}, 70.0, dBA" for second in (58, 59)]
    path.write_text("\n".join(["IP-900DL", *lines, "1-1-2027, 00:00:00, 71.0, dBA"]))
    log = meters.read_log(path)
    assert levels(log) == [70.0, 70.0, 71.0]
    assert np.all(np.diff(log.course.times_s) == 1)


def test_a_typed_level_is_a_level_or_is_asked_again():
    assert typed.level("71,3\n") == 71.3
    for text in ("", "--", "0", "731", "7I.3"):
        with pytest.raises(UserError, match="type what the meter shows"):
            typed.level(text)
    meter = typed.Typed("some meter", PAPERS)
    assert meter.second() is None
    assert not meter.instrument.weighting_known


def test_a_calibrator_has_one_of_two_levels():
    assert Calibrator(93.97, PAPERS).second() == 93.97
    with pytest.raises(UserError, match="not 94 or 114"):
        Calibrator(104, PAPERS)


def minute_with(meter: protocol.Meter) -> procedure.Point:
    """A steady minute of a box at 68 dB, beside the meter."""
    seconds = procedure.SETTLE_S + procedure.MEASURE_S
    reading = {"time": None, "laeq": 68.0, "lceq": 69.8, "flags": []}
    pairs = procedure.pairs((reading | {"n": n} for n in range(seconds)), meter)
    return procedure.point(procedure.record(pairs, 70, lambda progress: None), meter.instrument)


# Benetech GM1356.


@pytest.mark.parametrize(
    ("data", "level"),
    [
        (packet(65.8, A_SLOW), 65.8),
        (packet(65.8, A_FAST | 4), None),  # below its range of 80 to 130 dB
        (packet(85.8, A_FAST | 4), 85.8),
        (packet(100.0, A_FAST | 2), None),  # at the top of its range
        (packet(0, A_FAST), None),
        (packet(65.8, A_FAST | 7), None),
        (packet(65.8, A_FAST)[:7], None),
        (b"", None),
        (b"\xff" * 8, None),
    ],
)
def test_gm1356_answers(data, level):
    assert gm1356.decode(data) == level


@pytest.mark.parametrize(
    ("data", "said"),
    [
        # The example of the protocol's description: 65.8 dB, C, max, fast, 80-130 dB.
        (bytes.fromhex("0292749b90ddc0ff"), "press A/C"),
        (packet(65.8, C_FAST), "press A/C"),
        (packet(65.8, A_MAX), "press MAX"),
    ],
)
def test_gm1356_on_c_or_holding_the_maximum_is_refused(data, said):
    with pytest.raises(UserError, match=said):
        gm1356.decode(data)


def test_gm1356_polls_with_one_id_a_session_and_takes_no_late_answer():
    device = FakeHid([packet(65.8, A_SLOW), b"", packet(66.0, A_SLOW)])
    meter = GM1356(device, PAPERS)
    assert [meter.second() for _ in range(3)] == [65.8, None, 66.0]
    assert len(set(device.written)) == 1
    # A zero for "no numbered reports", then the 8 bytes of the description.
    poll = device.written[0]
    assert len(poll) == 9
    assert (poll[:2], poll[5:]) == (b"\0\xb3", bytes(4))
    other = FakeHid([packet(65.8, A_SLOW)])
    GM1356(other, PAPERS).second()
    assert other.written != device.written[:1]
    meter.close()
    assert device.closed


def test_a_gm1356_that_is_pulled_says_so(monkeypatch):
    device = FakeHid([])
    monkeypatch.setattr(device, "write", lambda buff: -1)
    with pytest.raises(UserError, match="plug it in again"):
        GM1356(device, PAPERS).second()
    monkeypatch.setattr(gm1356.hid, "enumerate", lambda vendor, product: [])
    with pytest.raises(UserError, match="none found on USB"):
        gm1356.find(PAPERS)


def test_a_minute_with_a_gm1356_that_misses_some():
    answers = [packet(70.1, A_SLOW)] * 70
    answers[20], answers[30], answers[40] = b"", packet(0, A_SLOW), b"\xff" * 8
    assert minute_with(GM1356(FakeHid(answers), PAPERS)).difference_db == pytest.approx(2.1)


def test_a_gm1356_that_is_plugged_in_again_goes_on(monkeypatch):
    pulled, again = FakeHid([]), FakeHid([packet(65.8, A_SLOW)])
    monkeypatch.setattr(pulled, "write", lambda buff: -1)
    monkeypatch.setattr(gm1356.hid, "device", lambda: again)
    monkeypatch.setattr(gm1356.hid, "enumerate", lambda vendor, product: [])
    meter = GM1356(pulled, PAPERS)
    for said in ("plug it in again", "none found on USB"):
        with pytest.raises(UserError, match=said):
            meter.second()
    assert pulled.closed
    monkeypatch.setattr(gm1356.hid, "enumerate", lambda vendor, product: [{"path": b"1-2"}])
    assert meter.second() == 65.8
    assert again.opened == b"1-2"
    meter.close()
    assert again.closed


# NTi XL2 on a pty.


class FakeXL2:
    """The remote side of an XL2: answers `*IDN?` and dt levels, as bytes that are given."""

    def __init__(self, answers: list[bytes], identity: bytes) -> None:
        self._answers = iter(answers)
        self._identity = identity
        self._master, slave = os.openpty()
        tty.setraw(slave)
        tty.setraw(self._master)
        self.port = os.ttyname(slave)
        self._slave = slave
        self.commands: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        received = b""
        while True:
            try:
                received += os.read(self._master, 256)
            except OSError:
                return
            while b"\n" in received:
                line, _, received = received.partition(b"\n")
                self.commands.append(line.decode())
                if line == b"quit":
                    return
                if line == b"*IDN?":
                    os.write(self._master, self._identity)
                elif line == b"MEAS:SLM:123:DT? LAEQ":
                    os.write(self._master, next(self._answers, b""))

    def close(self) -> None:
        os.write(self._slave, b"quit\n")
        self._thread.join(2)
        os.close(self._slave)
        os.close(self._master)


@contextmanager
def xl2(
    *answers: bytes, identity: bytes = b"NTiAudio,XL2,A2A-00000-E0,FW4.71\r\n"
) -> Iterator[FakeXL2]:
    instrument = FakeXL2(list(answers), identity)
    try:
        yield instrument
    finally:
        instrument.close()


def test_xl2_is_asked_for_each_second_and_left_unlocked():
    with xl2(b"65.2 dB, OK\r\n", b"-65.0 dB, OK\r\n", b" 66.1 dB,OK\n") as instrument:
        meter = XL2(instrument.port, PAPERS)
        assert meter.instrument.serial == "A2A-00000-E0"
        assert meter.instrument.weighting_known
        assert [meter.second() for _ in range(3)] == [65.2, None, 66.1]
        meter.close()
        second = ["MEAS:INIT", "MEAS:SLM:123:DT? LAEQ"]
        until = ["INIT STOP", "SYST:KLOC OFF"]
    assert instrument.commands[:-1] == [
        *("*IDN?", "*RST", "INIT START", "MEAS:INIT"),
        *(second * 3),
        *until,
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"--.- dB, OK\r\n",
        b"-999.0 dB, OK\r\n",
        b"65.2 dB, UNDEF\r\n",
        b"65.2 dB, OVLD\r\n",
        b"0.0 dB, OK\r\n",
        b"65.2",  # cut short
        b"\xff\xfe garbage\r\n",
        b";\r\n",
        b"",
    ],
)
def test_what_an_xl2_does_not_read_is_none_and_the_next_second_is_read_again(answer):
    with xl2(answer, b"65.2 dB, OK\r\n") as instrument:
        meter = XL2(instrument.port, PAPERS)
        assert [meter.second(), meter.second()] == [None, 65.2]
        meter.close()


def test_a_late_answer_is_not_taken_for_the_next(monkeypatch):
    monkeypatch.setattr(xl2_serial, "_ANSWER_WITHIN_S", 6)
    with xl2(b"", b"65.2 dB, OK\r\n") as instrument:
        meter = XL2(instrument.port, PAPERS)
        assert meter.second() is None
        os.write(instrument._master, b"99.9 dB, OK\r\n")
        assert meter.second() == 65.2
        meter.close()


def test_a_minute_with_an_xl2_that_misses_some(monkeypatch):
    monkeypatch.setattr(xl2_serial, "_ANSWER_WITHIN_S", 6)
    answers = [b"70.1 dB, OK\r\n"] * 70
    answers[0], answers[20], answers[30] = b"-999.0 dB, OK\r\n", b"", b"--.- dB, OK\r\n"
    with xl2(*answers) as instrument:
        meter = XL2(instrument.port, PAPERS)
        assert minute_with(meter).difference_db == pytest.approx(2.1)
        meter.close()


@pytest.mark.parametrize("identity", [b"", b"MicroPython v1.29\r\n", b"\xff\r\n"])
def test_a_port_without_an_xl2_is_refused(identity, monkeypatch):
    monkeypatch.setattr(xl2_serial, "_ANSWER_WITHIN_S", 0.1)
    with xl2(identity=identity) as instrument, pytest.raises(UserError, match="no XL2 answers"):
        XL2(instrument.port, PAPERS)


def test_an_xl2_without_its_option_or_its_cable_says_so():
    with xl2(b"OPTION_REQUIRED\r\n") as instrument:
        meter = XL2(instrument.port, PAPERS)
        with pytest.raises(UserError, match="no Remote Measurement option"):
            meter.second()
    with pytest.raises(UserError, match="plug it in again"):
        meter.second()
    meter.close()
    with pytest.raises(UserError, match="cannot be opened"):
        XL2(instrument.port, PAPERS)


def test_an_xl2_that_is_plugged_in_again_goes_on(tmp_path):
    port = tmp_path / "ttyACM0"
    with xl2() as instrument:
        port.symlink_to(instrument.port)
        meter = XL2(str(port), PAPERS)
    port.unlink()
    for said in ("plug it in again", "cannot be opened"):
        with pytest.raises(UserError, match=said):
            meter.second()
    with xl2(identity=b"NTiAudio,XL2,A2A-00001-E0,FW4.71\r\n") as instrument:
        port.symlink_to(instrument.port)
        with pytest.raises(UserError, match="another XL2; plug in NTi XL2 A2A-00000-E0, whose"):
            meter.second()
    port.unlink()
    with xl2(b"65.2 dB, OK\r\n") as instrument:
        port.symlink_to(instrument.port)
        assert meter.second() == 65.2
        meter.close()
    assert instrument.commands[:4] == ["*IDN?", "*RST", "INIT START", "MEAS:INIT"]
