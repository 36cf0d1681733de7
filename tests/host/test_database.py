"""The database: durable, brought up to date, and clear when it refuses."""

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sql
from host.fakebox import BOX, KEY, START_S, journal
from noisewarden import migrations
from noisewarden.database import FILE, Database
from noisewarden.errors import UserError
from noisewarden.register import Register, Registration
from noisewarden.schema import boxes, metadata
from noisewarden.store import Gap, Store

pytest_plugins = ["postgres"]

VERSION_1 = Path(__file__).parents[1] / "data" / "station_v1.sql"


@pytest.fixture
def folder(tmp_path):
    """A data folder as the first release left it."""
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript(VERSION_1.read_text())
    connection.close()
    return tmp_path


@pytest.fixture
def before(folder):
    return dump(folder / FILE)


def dump(file):
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def tables(database):
    """All that a database can say of its tables."""
    with database.reading() as connection:
        found = sql.inspect(connection)
        return {
            name: {
                "columns": [
                    (column["name"], column["type"]._type_affinity, column["nullable"])
                    for column in found.get_columns(name)
                ],
                "key": found.get_pk_constraint(name)["constrained_columns"],
                "indexes": sorted(
                    (index["name"], index["column_names"]) for index in found.get_indexes(name)
                ),
                "unique": [c["column_names"] for c in found.get_unique_constraints(name)],
            }
            for name in found.get_table_names()
        }


def test_a_database_of_the_first_release_is_brought_up_to_date(folder):
    with Database.in_folder(folder) as database, Database.in_memory() as new:
        assert tables(database) == tables(new)
        store = Store(database)
        assert (store.held(BOX), store.held("other")) == (3, 3)
        assert store.gaps(BOX) == [Gap(4, 4, gone=False)]
        assert store.chain(BOX) == {"verified": 6, "broken": 0, "unverified": 0}
        assert store.conflicts(BOX) == [2]
        assert [row.unix_s for row in store.records(BOX)] == [
            START_S + 60 * minute for minute in (0, 1, 2, 4, 5, 6)
        ]
        made = journal(6, timeless=2)
        assert store.intake(BOX, [(made[3], 3)], KEY).held == 7


def test_a_database_without_a_newer_column_gets_it(database_url):
    box = Registration.of_secret(bytes(32), box=BOX, place="p", board="b", serial="00")
    with Database(database_url) as database:
        Register(database).add(box)
        with database.transaction() as connection:
            connection.execute(sql.text("ALTER TABLE register DROP COLUMN mosquitto"))
            connection.execute(sql.text("UPDATE schema_version SET version = 2"))
    with Database(database_url) as database, Database.in_memory() as new:
        columns, wanted = (tables(each)["register"]["columns"] for each in (database, new))
        assert [column[0] for column in columns] == [column[0] for column in wanted]
        assert Register(database).get(BOX).mosquitto is None
        Register(database).add(box, replace=True)
        assert Register(database).get(BOX).mosquitto == box.mosquitto


def test_before_that_a_copy_is_kept_once(folder, before):
    (folder / FILE).chmod(0o644)
    with Database.in_folder(folder):
        assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    copy = folder / f"{FILE}.version-1"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert dump(copy) == before
    written_ns = copy.stat().st_mtime_ns
    with Database.in_folder(folder) as database:
        assert Store(database).held(BOX) == 3
    assert copy.stat().st_mtime_ns == written_ns
    assert sorted(path.name for path in folder.iterdir()) == [FILE, copy.name]


def test_without_room_for_the_copy_the_older_database_is_left(folder, before):
    (folder / f"{FILE}.version-1").mkdir()
    with pytest.raises(UserError, match="left as it is; make room") as refusal:
        Database.in_folder(folder)
    assert "\n" not in str(refusal.value)
    assert dump(folder / FILE) == before


def test_a_migration_that_fails_in_the_middle_changes_nothing(folder, before, monkeypatch):
    def fail(_):
        raise OSError("the power went")

    monkeypatch.setattr(migrations, "_mend_indexes", fail)
    with pytest.raises(OSError, match="the power went"):
        Database.in_folder(folder)
    assert dump(folder / FILE) == before


def test_a_database_of_a_newer_version_is_refused_and_left(database_url):
    with Database(database_url) as database, database.transaction() as connection:
        connection.execute(sql.text("UPDATE schema_version SET version = version + 1"))
    with pytest.raises(UserError, match=r"newer version .*; update noisewarden") as refusal:
        Database(database_url)
    assert "\n" not in str(refusal.value)


def test_every_opening_finds_what_the_one_before_left(database_url):
    with Database(database_url) as database:
        Store(database).intake(BOX, [(entry, entry[0] - 1) for entry in journal(3)])
    with Database(database_url) as database:
        assert Store(database).held(BOX) == 4
        assert set(tables(database)) == {*metadata.tables, "schema_version"}


def test_what_raises_in_a_transaction_is_undone(database):
    with pytest.raises(KeyError), database.transaction() as connection:
        connection.execute(sql.insert(boxes).values(box=BOX, held=1))
        raise KeyError
    with database.reading() as connection:
        assert connection.scalar(sql.select(sql.func.count()).select_from(boxes)) == 0


def test_no_count_is_lost_between_threads(database):
    """Each reads and then writes; SQLite has one writer, PostgreSQL locks the row."""
    with database.transaction() as connection:
        connection.execute(sql.insert(boxes).values(box=BOX, held=0))

    def count():
        for _ in range(20):
            with database.transaction() as connection:
                held = connection.scalar(sql.select(boxes.c.held).with_for_update())
                connection.execute(sql.update(boxes).values(held=held + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.scalar(sql.select(boxes.c.held)) == 80


def test_reading_waits_for_no_writer(database):
    with database.transaction() as connection:
        connection.execute(sql.insert(boxes).values(box=BOX, held=1))
        with database.reading() as other:
            assert other.execute(sql.select(boxes)).all() == []


def test_a_database_in_memory_is_one_for_all_threads():
    with Database.in_memory() as database:
        store = Store(database)
        taken = [(entry, entry[0] - 1) for entry in journal(3)]
        thread = threading.Thread(target=store.intake, args=(BOX, taken))
        thread.start()
        thread.join()
        assert store.held(BOX) == 4


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no database has such a URL; write it as postgresql"),
        ("oracular://host/name", "no database has such a URL"),
        ("postgresql+psycopg://user:pass@host:port/name", "no database has such a URL"),
        ("postgresql+psycopg://user@nowhere.invalid/name", "correct the host in its URL"),
        ("postgresql+psycopg://user:pass@127.0.0.1:1/name", "start the database, or correct"),
        ("postgresql+psycopg://user@/name?host=/nowhere", "start the database, or correct"),
    ],
)
def test_a_database_that_is_not_there_is_told_in_one_line(url, words):
    with pytest.raises(UserError, match=words) as refusal:
        Database(url)
    assert "\n" not in str(refusal.value) and "pass" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "consuming input failed: server closed the connection unexpectedly\n"
            "\tThis probably means the server terminated abnormally\n"
            "\tbefore or while processing the request.",
            "server closed the connection unexpectedly); start the database",
        ),
        (
            'could not extend file "base/5/2": No space left on device\n'
            "HINT:  Check free disk space.",
            "No space left on device); make room on the disk of the database",
        ),
        (
            "canceling statement due to statement timeout\nCONTEXT:  while updating tuple",
            "the database refuses (canceling statement due to statement timeout)",
        ),
        ("", "OSError"),
    ],
)
def test_what_a_server_says_is_told_by_its_cause(said, words):
    with (
        Database.in_memory() as database,
        pytest.raises(UserError) as refusal,
        database.transaction(),
    ):
        raise sql.exc.OperationalError("COMMIT", {}, OSError(said))
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_full_disk_is_one_line_and_it_goes_on_when_there_is_room(tmp_path):
    told = [(entry, entry[0] - 1) for entry in journal(400)]
    with Database.in_folder(tmp_path) as database:
        store = Store(database)
        store.intake(BOX, told[:10])
        with database.reading() as connection:
            pages = connection.scalar(sql.text("PRAGMA page_count"))
            connection.execute(sql.text(f"PRAGMA max_page_count = {pages + 1}"))
        with pytest.raises(UserError, match=r"is full\); make room on the disk") as refusal:
            store.intake(BOX, told[10:])
        assert "\n" not in str(refusal.value) and store.held(BOX) == 10
        with database.reading() as connection:
            connection.execute(sql.text("PRAGMA max_page_count = 100000"))
        assert store.intake(BOX, told[10:]).held == len(told)


def test_no_error_tells_what_was_written(database):
    with pytest.raises(sql.exc.IntegrityError) as refusal, database.transaction() as connection:
        for _ in range(2):
            connection.execute(sql.insert(boxes).values(box="a-secret", held=123456))
    assert "123456" not in str(refusal.value)


def test_a_power_of_ten_is_known_on_every_build(database):
    with database.reading() as connection:
        ten = sql.select(sql.func.power(10.0, 1.5))
        assert connection.scalar(ten) == pytest.approx(31.6228, abs=1e-4)


def test_a_database_that_is_named_by_its_url_is_its_owners_alone(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'named.sqlite'}"):
        assert (tmp_path / "named.sqlite").stat().st_mode & 0o777 == 0o600
