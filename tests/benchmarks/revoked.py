"""From the click that strikes a box off the register until its connection ends, and until pages
show it offline; by the station's own broker and by a Mosquitto with the files of `serve`."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from host.station_parts import reading
from system.boxes import until
from system.intruders import API, Place, message, running
from system.test_own_mosquitto import connected, served

BOXES = [f"box-{number}" for number in range(5)]
MOST_S = 1


@contextmanager
def _mosquitto(folder: Path) -> Iterator[Place]:
    with served(folder / "station", BOXES) as serving, connected(serving) as place:
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
    for name, station in (
        ("own broker", partial(running, "guarded", boxes=BOXES)),
        ("Mosquitto", _mosquitto),
    ):
        with tempfile.TemporaryDirectory() as folder, station(Path(folder)) as place:
            out_s, offline_s = _slowest_s(place)
        print(
            f"revoked: {name}: out after {out_s:.2f} s, at most {MOST_S} s; "
            f"shown offline after {offline_s:.2f} s; the slowest of {len(BOXES)}"
        )


if __name__ == "__main__":
    main()
