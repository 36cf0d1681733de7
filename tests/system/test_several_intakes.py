"""Several processes take records in on one broker and one database: each record once, and the end
of any of them, at any time, loses nothing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

import pytest
from system import town as towns
from system.serving import NOISEWARDEN
from system.town import REAL, Town

pytest_plugins = ["postgres"]

LOAD = 300
"""Records that come in before something happens, of some thousands."""


class Further:
    """A context manager: a process that takes in records alone."""

    def __init__(self, town: Town) -> None:
        assert town.broker and town.server
        self._command = [
            *(NOISEWARDEN, "serve", "--records-only"),
            *("--data", town.folder / "none", "--database", town.server.render_as_string()),
        ]
        self._environment = os.environ | {"NOISEWARDEN_BROKER": town.broker.station_url}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("records broker 127.0.0.1:"), self.process.communicate()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        _, complaints = self.process.communicate()
        assert "Traceback" not in complaints, complaints

    def kill(self) -> None:
        """-9; what it had of the broker and had not committed is gone with it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def town(postgresql, tmp_path_factory) -> Iterator[Town]:
    with towns.running(tmp_path_factory.mktemp("town"), "mosquitto", postgresql) as made:
        yield made


@pytest.fixture(scope="module")
def further(town: Town) -> Iterator[list[Further]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Further(town)) for _ in range(2)]


def test_one_is_killed_in_the_middle_of_intake(town: Town, further: list[Further]) -> None:
    for one in further:
        town.measure_on()
        town.takes_in(LOAD)
        one.kill()
        town.all_arrived()
        one.__enter__()


def test_they_go_on_without_the_station(town: Town, further: list[Further]) -> None:
    town.measure_on()
    town.takes_in(LOAD)
    town.kill()
    town.all_arrived()
    town.start()


def test_in_the_end_store_and_journals_are_the_same(town: Town, further: list[Further]) -> None:
    town.come_to_rest()
    town.all_arrived()
    assert town.count() == sum(map(len, town.journals().values()))
    assert town.incidents() == town.incidents_of_journals()
    assert any(incident.box in REAL for incident in town.incidents())
