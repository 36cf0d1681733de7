"""From the click that strikes a box off the register until its connection ends, and until pages
show it offline; by the station's own broker and by a Mosquitto with the files of `serve`."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import brokers
from host.station_parts import reading
from system.boxes import until
from system.intruders import API, Place, message, secret
from system.serving import Serving, register
from system.test_own_mosquitto import connects, started

BOXES = [f"box-{number}" for number in range(5)]
MOST_S = 1


@contextmanager
def _own(home: Path) -> Iterator[Place]:
    with Serving(home) as serving, serving.administrator() as chief:
        yield Place(serving, chief, None)


@contextmanager
def _mosquitto(home: Path) -> Iterator[Place]:
    free = [f"{brokers.HOST}:{brokers.free_port()}" for _ in range(2)]
    options = ("--broker", f"mqtt://{free[0]}", "--mqtt", free[1])
    with Serving(home, *options) as serving, started(serving), serving.administrator() as chief:
        place = Place(serving, chief, None)
        connects(place)
        yield place


def _slowest_s(place: Place) -> tuple[float, float]:
    """(until it is out, until it is shown offline)."""
    out_s, offline_s = [], []
    for box in BOXES:
        with place.box(box) as client:
            client.publish(message(box, "reading", reading(n=1), qos=0))
            place.has_heard(box, 1)
            began = time.monotonic()
            place.chief.delete(f"{API}/register/{box}").raise_for_status()
            assert client.is_cut()
            out_s.append(time.monotonic() - began)
            until(lambda box=box: not place.get(f"/boxes/{box}")["online"], lambda: "online")
            offline_s.append(time.monotonic() - began)
    return max(out_s), max(offline_s)


def main() -> None:
    for name, running in (("own broker", _own), ("Mosquitto", _mosquitto)):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "station"
            for box in BOXES:
                register(home, box, secret(box))
            with running(home) as place:
                out_s, offline_s = _slowest_s(place)
        print(
            f"revoked: {name}: out after {out_s:.2f} s, at most {MOST_S} s; "
            f"shown offline after {offline_s:.2f} s; the slowest of {len(BOXES)}"
        )


if __name__ == "__main__":
    main()
