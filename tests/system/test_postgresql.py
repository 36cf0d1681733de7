"""Several processes on one database, and a server that goes away: SQLite and real PostgreSQL."""

import asyncio
import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sql
from host.fakebox import KEY, Journal, journal
from host.station_parts import add_stage
from host.station_parts import arrivals as told_of
from noisewarden.database import Database
from noisewarden.errors import UserError
from noisewarden.register import Register, Registration
from noisewarden.schema import boxes, commands, incidents, people, placements, plans, register
from noisewarden.station.audit import Audit, By
from noisewarden.station.commanding import ASKED, Commander
from noisewarden.station.incidents import Incidents
from noisewarden.station.people import People
from noisewarden.station.plans import Plans, Spot
from noisewarden.station.refusals import Refused
from noisewarden.station.ways import Ways
from noisewarden.store import Batch, Store
from system.boxes import until

pytest_plugins = ["postgres"]

PROCESSES = 4
BOXES = tuple(f"box-{number}" for number in range(5))
MINUTES = 60
ABOUT = {"box": "a", "place": "", "board": "b", "serial": "00"}


def arrivals():
    made = journal(MINUTES, timeless=20)
    return [(entry, entry[0] - 1) for entry in made]


def take_some(url: str, chance: int) -> int:
    """What one process does: half of the records of each box, in any order, some twice; returns
    how many were new to the store."""
    lot = random.Random(chance)
    told = arrivals()
    own = {box: lot.sample(told, len(told) // 2) for box in BOXES}
    new = 0
    with Database(url) as database:
        store = Store(database)
        while any(own.values()):
            some = lot.sample(BOXES, 3)
            batches = {box: Batch(own[box][:4], (KEY,)) for box in some}
            new += sum(done.new for done in store.intake_many(batches).values())
            for box in some:
                own[box] = own[box][4:]
    return new


def test_processes_that_share_boxes_store_each_record_once(database_url):
    url = database_url.render_as_string(hide_password=False)
    # Fresh processes: each opens the empty database, and one makes the tables.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        new = sum(pool.map(partial(take_some, url), range(PROCESSES)))
    told = arrivals()
    with Database(database_url) as database:
        store = Store(database)
        came = {box: [row.seq for row in store.records(box)] for box in BOXES}
        assert new == sum(map(len, came.values()))
        for box, seqs in came.items():
            assert seqs == sorted(set(seqs)) and len(seqs) > MINUTES // 2
            hole = next((n for n in range(1, MINUTES + 2) if n not in seqs), MINUTES + 2)
            assert store.held(box) == hole - 1
            assert store.chain(box) == {"verified": len(seqs), "broken": 0, "unverified": 0}
            store.intake(box, told, KEY)
            assert store.held(box) == MINUTES + 1 and store.gaps(box) == []
            entries = [(row.seq, row.data, row.mac, row.previous) for row in store.records(box)]
            assert entries == [entry for entry, _ in told]
            assert None not in {row.unix_s for row in store.records(box)}
            assert store.conflicts(box) == []


def cut(postgresql, url):
    """As a server that restarts does to its sessions."""
    postgresql.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{url.database}' AND pid <> pg_backend_pid()"
    )


def test_a_server_that_was_away_is_found_again(postgresql, postgresql_url):
    told = arrivals()
    with Database(postgresql_url) as database:
        store = Store(database)
        store.intake("a", told[:5], KEY)
        cut(postgresql, postgresql_url)
        assert store.intake("a", told[5:], KEY).held == len(told)


def test_a_server_that_goes_away_in_a_transaction_is_one_line_and_nothing_is_half_done(
    postgresql, postgresql_url
):
    with Database(postgresql_url) as database:
        with (
            pytest.raises(UserError, match="the database refuses") as refusal,
            database.transaction() as connection,
        ):
            connection.execute(sql.insert(boxes).values(box="a", held=1))
            cut(postgresql, postgresql_url)
            connection.execute(sql.insert(boxes).values(box="b", held=1))
        assert "\n" not in str(refusal.value) and "start the database" in str(refusal.value)
        with database.reading() as connection:
            assert connection.execute(sql.select(boxes)).all() == []


def test_a_server_that_vanishes_is_given_up_within_half_a_minute(postgresql_url):
    with Database(postgresql_url) as database, database.reading() as connection:
        taken = connection.connection.driver_connection.info.get_parameters()
    alive = {name: int(taken[f"keepalives_{name}"]) for name in ("idle", "interval", "count")}
    assert alive["idle"] + alive["interval"] * alive["count"] <= 30
    assert int(taken["tcp_user_timeout"]) == 30_000  # ms


def test_a_database_that_does_not_exist_is_told_in_one_line(postgresql):
    with pytest.raises(UserError, match="create it, or correct its URL") as refusal:
        Database(postgresql.url("nowhere"))
    assert "\n" not in str(refusal.value) and "nowhere" in str(refusal.value)


def waits_for_a_lock(database):
    """Whether somebody there waits until another has done."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with database.reading() as connection:
        return bool(connection.scalar(sql.text(query)))


def test_who_closes_an_incident_in_the_moment_it_is_loud_again_is_called_again(postgresql_url):
    now_s, told = int(time.time()), []
    with Database(postgresql_url) as database:
        store = Store(database)
        found = Incidents(database, lambda event, data: told.append(data))
        made = Journal()
        for stage, at_s in ((1, 10), (0, 20), (1, 30)):
            add_stage(made, stage, at_s=at_s, unix_s=now_s - 40 + at_s)
        store.intake("a", told_of(made[:2]), KEY)
        found.advance("a")
        [incident] = found.list()
        store.intake("a", told_of(made[2:]), KEY)
        c = incidents.c
        with ThreadPoolExecutor(1) as thread:
            with database.transaction() as connection:
                closed = {"closed_s": now_s, "closed_by": 7, "outcome": "calm again"}
                connection.execute(sql.update(incidents).where(c.box == "a").values(closed))
                advanced = thread.submit(found.advance, "a", 2)
                until(lambda: waits_for_a_lock(database), lambda: "it does not wait")
            advanced.result()
        assert [each["alarm"] for each in told] == [True, True]
        assert found.get(incident["id"])["closed_s"] is None


def at_once(url, before, work):
    """What comes of `work` that begins while somebody else's `before` is not committed."""
    with Database(url) as database, ThreadPoolExecutor(1) as thread:
        with database.transaction() as connection:
            connection.execute(before)
            doing = thread.submit(work, database)
            until(
                lambda: doing.done() or waits_for_a_lock(database),
                lambda: "it neither ends nor waits",
            )
        return doing.result()


def people_of(database):
    return People(database, Audit(database))


@pytest.mark.parametrize("name", ["Li Ming", "LI MING"])
def test_two_who_open_an_account_of_one_name_at_once_are_told_so(postgresql_url, name):
    Database(postgresql_url).close()
    with pytest.raises(Refused, match="somebody has this name"):
        at_once(
            postgresql_url,
            sql.insert(people).values(name="Li Ming", role="officer", created_s=1),
            lambda database: people_of(database).invite(By(), name, "officer"),
        )


def test_two_administrators_who_shut_each_other_out_at_once_leave_one(postgresql_url):
    account = {"role": "administrator", "password": "x", "created_s": 1}
    with Database(postgresql_url) as database, database.transaction() as connection:
        accounts = [account | {"id": n, "name": f"Chief {n}"} for n in (1, 2)]
        connection.execute(sql.insert(people), accounts)
    with pytest.raises(Refused) as refusal:
        at_once(
            postgresql_url,
            sql.update(people).where(people.c.id == 1).values(disabled_s=1),
            lambda database: people_of(database).change(By(), 2, disabled=True),
        )
    assert refusal.value.code == "last-administrator"


def test_two_who_take_in_one_box_at_once_are_told_so(postgresql_url):
    Database(postgresql_url).close()
    entry = Registration.of_secret(bytes(32), **ABOUT)
    keys = dict.fromkeys(("password_sha256", "command_key", "journal_key"), bytes(32))
    with pytest.raises(UserError, match="is in the register"):
        at_once(
            postgresql_url,
            sql.insert(register).values(ABOUT | keys | {"counter": 0, "added_s": 1}),
            lambda database: Register(database).add(entry),
        )


def test_a_limit_for_a_while_takes_no_place_of_a_configuration_that_is_asked_at_once(
    postgresql_url,
):
    with Database(postgresql_url) as database:
        Register(database).add(Registration.of_secret(bytes(32), **ABOUT))
    asked = {"id": "1", "box": "a", "action": "set_config", "arguments": "{}", "status": ASKED}

    def ask(database):
        commander = Commander(database, Register(database), Ways(), lambda box: False)
        given = {"config": {"box": "a"}}
        return asyncio.run(commander.ask("a", "set_config", given, None, sole=True))

    with pytest.raises(Refused) as refusal:
        at_once(
            postgresql_url,
            sql.insert(commands).values(asked | {"detail": "", "asked_s": 1, "expires_s": 2}),
            ask,
        )
    assert refusal.value.code == "under-way"


def test_a_box_that_two_place_at_once_stands_where_the_later_one_put_it(postgresql_url):
    plan = {"id": 1, "name": "square", "media_type": "image/webp", "picture": b""}
    with Database(postgresql_url) as database, database.transaction() as connection:
        connection.execute(sql.insert(plans).values(plan))
    at_once(
        postgresql_url,
        sql.insert(placements).values(box="a", plan=1, x=0.5, y=0.5),
        lambda database: Plans(database).place(1, Spot("a", 0.25, 0.25)),
    )
    with Database(postgresql_url) as database:
        assert Plans(database).all()[0].boxes == [Spot("a", 0.25, 0.25)]
