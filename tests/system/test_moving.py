"""A station outgrows SQLite: all that it has is on the server afterwards, and it goes on there."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from host.fakebox import BOX, KEY, Journal
from host.station_parts import add_boot, add_minute, add_stage, arrivals, station
from noisewarden.database import FILE, MOVED, Database
from noisewarden.errors import UserError
from noisewarden.register import Register
from noisewarden.schema import metadata
from noisewarden.station.audit import Audit
from noisewarden.station.incidents import Incidents
from noisewarden.station.people import People
from noisewarden.store import Store

pytest_plugins = ["postgres"]

NOW_S = 1_780_000_000


def rows(database: Database) -> dict[str, list[Any]]:
    with database.reading() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sql.select(table))))
            for table in metadata.sorted_tables
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A station with an incident of half an hour, two boxes and a person."""
    journal = Journal()
    add_boot(journal, unix_s=NOW_S, boot=1)
    for minute in range(1, 30):
        add_minute(journal, at_s=60 * minute, unix_s=NOW_S + 60 * minute)
    add_stage(journal, 2, at_s=1801, unix_s=NOW_S + 1801)
    with station(tmp_path / "station") as parts:
        parts.store.intake(BOX, arrivals(journal), KEY)
        parts.incidents.advance(BOX)
        assert People(parts.database, Audit(parts.database)).setup_link()
    return tmp_path / "station"


def run(folder: Path, url: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "noisewarden.moving", folder, url]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_row_is_carried_over_and_the_station_goes_on(folder, postgresql_url):
    moved = run(folder, postgresql_url.render_as_string())
    assert moved.returncode == 0, moved.stderr
    assert "records        31\n" in moved.stdout
    file = sql.URL.create("sqlite", database=str(folder / MOVED))
    with Database(file) as before, Database(postgresql_url) as after:
        assert rows(after) == rows(before)
        assert Store(after).chain(BOX) == {"verified": 31, "broken": 0, "unverified": 0}
        assert Register(after).next_counter(BOX) == 1
        (incident,) = Incidents(after).list()
        Incidents(after).intervene(incident["id"], 1, "note", "seen")
        assert Incidents(after).get(incident["id"])["interventions"][-1]["note"] == "seen"
    with pytest.raises(UserError, match="name that by --database"):
        Database.in_folder(folder)
    (folder / MOVED).rename(folder / FILE)
    again = run(folder, postgresql_url.render_as_string())
    assert again.returncode == 1 and again.stderr.count("\n") == 1
    assert "has rows there already" in again.stderr and (folder / FILE).exists()


def test_a_station_that_runs_is_not_moved(folder, tmp_path):
    target = tmp_path / "server.sqlite"
    with Database.in_folder(folder) as running:
        refused = run(folder, f"sqlite:///{target}")
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert "stop the station first" in refused.stderr and not target.exists()
        assert Store(running).held(BOX) == 31
    assert run(folder, f"sqlite:///{target}").returncode == 0


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("sqlite://", 1, "name the station's data folder"),
        ("postgresql+psycopg://me:hunter2@host/name", 2, "in every list of processes"),
        ("postgresql+psycopg:///name?password=hunter2", 2, "in every list of processes"),
    ],
)
def test_a_refusal_is_one_line_and_makes_nothing(tmp_path, url, code, words):
    refused = run(tmp_path, url)
    assert refused.returncode == code and refused.stderr.count("\n") == 1
    assert words in refused.stderr and "hunter2" not in refused.stderr
    assert list(tmp_path.iterdir()) == []
