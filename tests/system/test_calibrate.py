"""Calibrating a virtual box, from the technician's Enter to the record in its journal."""

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host.benchbox import Hands
from host.fakehid import A_FAST, A_SLOW, FakeHid, packet
from noisewarden import cli
from noisewarden.bench.calibration import procedure
from noisewarden.bench.meters import gm1356
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import Bench, install, stored, tones
from system.loudspeaker import Loudspeaker

EVENING_UNIX_S = 1_780_315_200
"""Monday 2026-06-01, 20:00 in the zone of a box."""

GOOD = {
    "offset_db": -1.372,
    "uncertainty_db": 0.41,
    "date": "2026-06-01",
    "expires": "2027-06-01",
    "meter": "NTi XL2 A2A-00000-E0",
    "certificate": "C-2026-001",
    "by": "bench 2",
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def box(state: Path) -> Iterator[VirtualBox]:
    board = install(state)
    with VirtualBox(state, tones((1, 71)), board=board, unix_s=EVENING_UNIX_S) as box:
        yield box


@pytest.fixture(scope="module")
def bench(box: VirtualBox) -> Iterator[Bench]:
    with Bench(box.port) as bench:
        while bench.next("reading")["laeq"] is None:
            pass
        yield bench


def flags(bench: Bench) -> list[str]:
    """Of the second after those that may be under way."""
    bench.next("reading")
    return [flag for flag in bench.next("reading")["flags"] if flag != "lost"]


def test_a_box_takes_a_calibration_at_once_and_keeps_it(bench: Bench, state: Path) -> None:
    assert bench.ask("set_calibration", calibration=GOOD) == ("done", "")
    told = bench.payloads("state")[-1]
    assert (told["offset_db"], told["void"]) == (-1.372, "")
    assert told["calibrated_until"] == 1_811_894_400  # 2027-06-02
    bench.next("reading")
    assert bench.next("reading")["laeq"] == pytest.approx(71 - 1.372, abs=0.05)
    assert json.loads((state / "flash/calibration.json").read_text()) == GOOD
    bench.take_all(state)
    record = bench.records("calibration")[-1]
    integers = {"offset_mdb": -1372, "uncertainty_mdb": 410}
    texts = {name: text for name, text in GOOD.items() if isinstance(text, str)}
    assert record.items() >= (integers | texts).items()


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"offset_db": 16}, "offset_db: 16 is not a number from -15 to 15 dB"),
        ({"expires": "2026-05-31"}, "expires: is before date"),
        ({"void": "drift"}, "void: unknown key"),
    ],
)
def test_a_bad_calibration_is_refused_and_changes_nothing(
    bench: Bench, state: Path, changes: dict, cause: str
) -> None:
    bench.ask("set_calibration", calibration=GOOD)
    outcome, detail = bench.ask("set_calibration", calibration=GOOD | changes)
    assert (outcome, detail) == ("refused", cause)
    assert json.loads((state / "flash/calibration.json").read_text()) == GOOD


def test_a_void_calibration_is_told_over_restarts_until_the_next_one(
    bench: Bench, box: VirtualBox, state: Path
) -> None:
    bench.ask("set_calibration", calibration=GOOD)
    assert bench.ask("void_calibration", reason="drift +1.8 dB") == ("done", "drift +1.8 dB")
    assert flags(bench) == ["uncalibrated"]
    bench.take_all(state)
    record = bench.records("command")[-1]
    assert (record["action"], record["outcome"]) == ("void_calibration", "done: drift +1.8 dB")
    box.cut_power()
    told = bench.next("state")
    assert (told["offset_db"], told["calibrated_until"]) == (-1.372, 0)
    assert told["void"] == "drift +1.8 dB"
    bench.next("reading")
    bench.next("reading")
    assert flags(bench) == ["uncalibrated"]
    assert "calibration void, drift +1.8 dB" in bench.ask("self_test")[1]
    bench.ask("set_calibration", calibration=GOOD)
    assert flags(bench) == []
    assert "calibration ok" in bench.ask("self_test")[1]


def test_a_box_beside_a_reference_moves_no_stage(bench: Bench) -> None:
    bench.ask("set_calibration", calibration=GOOD | {"offset_db": 5})
    assert bench.ask("compare", seconds=60) == ("done", "")
    bench.next("reading")
    readings = [bench.next("reading") for _ in range(8)]
    assert {reading["stage"] for reading in readings} == {0}
    assert all("uncalibrated" in reading["flags"] for reading in readings)
    assert bench.ask("compare", seconds=0) == ("done", "")
    assert flags(bench) == []


READ_OFF = ("--typed", "--meter", "Sound Meter 1", "--serial", "S-17", "--class", "1")
ON_USB = ("--gm1356", "--serial", "S-18", "--class", "2")


def calibrated(
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
    *arguments: str,
    speaker: Loudspeaker | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`calibrate` beside a meter: its result, and the records that the box has."""
    speaker = speaker or Loudspeaker()
    board = install(tmp_path)
    hands = Hands(speaker, lambda: capsys.readouterr().err)
    monkeypatch.setattr(sys, "stdin", hands)
    monkeypatch.chdir(tmp_path)
    with VirtualBox(tmp_path, speaker.frames(), board=board) as box:
        who = ("--certificate", "C-2026-001", "--technician", "bench 2")
        line = ["noisewarden", "calibrate", "--port", box.port, *who, *arguments]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, hands.seen + capsys.readouterr().err
    (path,) = Path("certificates").glob("*.json")
    return json.loads(path.read_text()), stored(tmp_path)


def assert_true(
    found: dict[str, Any], records: list[dict[str, Any]], meter: str, expanded_db: float
) -> None:
    assert found["accepted"]
    assert found["offset_db"] == pytest.approx(1.7, abs=0.1)
    assert abs(found["slope_db"]) < 0.2
    assert found["uncertainty"]["expanded_db"] == pytest.approx(expanded_db, abs=0.2)
    (record,) = [record for record in records if record["kind"] == "calibration"]
    assert record["offset_mdb"] == round(1000 * found["offset_db"])
    assert record["meter"] == meter
    assert not any(record["kind"] == "stage" and record["stage"] for record in records)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Levels of seconds instead of minutes."""
    for name, seconds in (("SETTLE_S", 3), ("MEASURE_S", 6), ("PRESENT_LEAST_S", 6)):
        monkeypatch.setattr(procedure, name, seconds)
    return ("--levels", "60,70,85", "--rounds", "1")


def test_a_box_is_calibrated_in_short_levels(tmp_path, monkeypatch, capsys, short) -> None:
    found = calibrated(tmp_path, monkeypatch, capsys, *READ_OFF, *short)
    assert_true(*found, "Sound Meter 1 S-17", 0.4)
    assert found[0]["weighting_check"]


def test_a_box_is_calibrated_beside_a_meter_on_usb(tmp_path, monkeypatch, capsys, short) -> None:
    """It tells its weighting, so that there is no low sound; an answer of it comes too late."""
    speaker = Loudspeaker()

    def answers() -> Iterator[bytes]:
        for second in itertools.count():
            yield (
                b"" if second == 1 else packet(speaker.level_db, A_SLOW if second % 2 else A_FAST)
            )

    device = FakeHid(answers())
    monkeypatch.setattr(gm1356.hid, "enumerate", lambda vendor, product: [{"path": b"1-2:1.0"}])
    monkeypatch.setattr(gm1356.hid, "device", lambda: device)
    found = calibrated(tmp_path, monkeypatch, capsys, *ON_USB, *short, speaker=speaker)
    assert_true(*found, "Benetech GM1356 S-18", 1.1)
    assert (device.opened, device.closed) == (b"1-2:1.0", True)
    assert found[0]["weighting_check"] is None


@pytest.mark.soak
def test_a_box_is_calibrated_in_real_time(tmp_path, monkeypatch, capsys) -> None:
    """Five levels and the low sound take seven minutes."""
    found = calibrated(tmp_path, monkeypatch, capsys, *READ_OFF, "--rounds", "1")
    assert_true(*found, "Sound Meter 1 S-17", 0.4)
