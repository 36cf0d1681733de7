"""Numbers that are not here: claimed by whoever passed records on, or signed for by the box."""

import pytest
import sqlalchemy as sql
from host.fakebox import BOX, KEY, MINUTE, OTHER_KEY, START_S, Journal, journal
from host.plans import plans_of
from noisewarden.database import Database
from noisewarden.firmware import wire
from noisewarden.schema import records
from noisewarden.station.gaps import GONE, WAITING, TimeGap
from noisewarden.station.levels import Levels
from noisewarden.store import Gap, Store

COUNT = 40
NOBODYS_KEY = wire.Key(bytes(32))

pytest_plugins = ["postgres"]


@pytest.fixture
def store(database):
    return Store(database)


def arrivals(entries):
    """With `after` as whoever passes on these and no others tells it."""
    before = [0, *[entry[0] for entry in entries]]
    return list(zip(entries, before, strict=False))


def told(*ranges, key=KEY, minutes=COUNT - 1):
    """Minutes, then what the box says that it gave up."""
    made = journal(minutes, key=key)
    for first, last in ranges:
        made.add("overwritten", first=first, last=last)
    return made


def without(made, *ranges):
    return [each for each in made if not any(first <= each[0] <= last for first, last in ranges)]


def lost(first, last):
    return Gap(first, last, gone=False)


def gone(first, last):
    return Gap(first, last, gone=True)


def test_who_keeps_records_back_and_claims_that_they_never_were_is_not_believed(store):
    made = told()
    store.intake(BOX, arrivals(without(made, (7, 9), (20, 20))), KEY)
    assert store.held(BOX) == COUNT  # the box is to go on
    assert store.gaps(BOX) == [lost(7, 9), lost(20, 20)]
    assert store.missing(BOX) == []
    assert store.doubts(BOX, 1, 7) == [lost(7, 9), lost(20, 20)]
    assert store.doubts(BOX, 8, 1) == [lost(8, 9)] and store.doubts(BOX, 10, 7) == [lost(20, 20)]
    assert store.doubts(BOX, 21, 7) == []
    store.intake(BOX, arrivals(made)[6:9], KEY)
    assert store.gaps(BOX) == [lost(20, 20)]
    assert store.chain(BOX) == {"verified": COUNT - 1, "broken": 0, "unverified": 0}


@pytest.mark.parametrize(
    ("ranges", "gaps"),
    [
        ([(1, 10)], [gone(1, 10)]),
        ([(1, 4), (5, 10)], [gone(1, 4), gone(5, 10)]),
        ([(1, 12)], [gone(1, 10)]),
        ([(1, 4)], [gone(1, 4), lost(5, 10)]),
        ([(3, 4), (7, 20)], [lost(1, 2), gone(3, 4), lost(5, 6), gone(7, 10)]),
        ([(11, 20)], [lost(1, 10)]),
    ],
)
def test_what_the_box_says_that_it_gave_up_is_gone_and_no_more(store, ranges, gaps):
    store.intake(BOX, arrivals(without(told(*ranges), (1, 10))), KEY)
    assert store.gaps(BOX) == gaps
    assert store.doubts(BOX, 1, 7) == [gap for gap in gaps if not gap.gone]


@pytest.mark.parametrize("key", [NOBODYS_KEY, OTHER_KEY])
def test_a_made_up_record_makes_nothing_gone(store, key):
    """Under the key that everybody knows neither."""
    made = told()
    false = Journal(key, first=COUNT + 1, mac=made[-1][2])
    false.add("overwritten", first=1, last=COUNT)
    store.intake(BOX, [*arrivals(without(made, (7, 9))), (false[0], COUNT)], KEY)
    assert store.gaps(BOX) == [lost(7, 9)]


def test_numbers_that_never_were_are_gone_by_the_chain_itself(store):
    """After flash was damaged a box skips some, and continues the last mac."""
    before = journal(9)
    after = Journal(first=16, mac=before[-1][2])
    after.add("minute", unix_s=START_S + 600, **MINUTE)
    store.intake(BOX, arrivals([*before, *after]), KEY)
    assert store.held(BOX) == 16
    assert store.gaps(BOX) == [gone(11, 15)] and store.doubts(BOX, 1, 7) == []


def test_a_forged_record_with_a_mac_that_was_overheard_makes_nothing_gone(store):
    made = told()
    forged = (5, bytes(made[4][1][:-1]) + b"\xff", made[8][2], made[3][2])
    store.intake(BOX, arrivals([*made[:4], forged, *made[9:]]), KEY)
    assert store.gaps(BOX) == [lost(6, 9)]
    assert store.doubts(BOX, 1, 7)[:2] == [lost(5, 5), lost(6, 9)]


def test_gaps_that_were_filled_in_part_are_found_whole(store):
    made = told()
    for some in ([*made[:4], *made[20:]], [*made[:4], made[8], made[12]]):
        store.intake(BOX, arrivals(some), KEY)
    assert store.gaps(BOX) == [lost(5, 8), lost(10, 12), lost(14, 20)]


def test_a_wrong_claim_does_not_stop_the_box_for_ever(store, database):
    """Who passed it on said that more comes before it than the box has."""
    made = without(told((1, 10)), (1, 10))
    store.intake(BOX, [(made[0], 5)], KEY)
    assert store.held(BOX) == 0
    with database.transaction() as connection:
        connection.execute(sql.update(records).values(received_s=1))
    store.intake(BOX, arrivals(made), KEY)
    assert store.held(BOX) == COUNT + 1
    assert next(store.records(BOX)).received_s == 1  # when it came is not made younger


def test_an_hour_is_gone_only_when_the_box_says_so(store, database):
    levels = Levels(database, now=lambda: START_S + 60 * COUNT)
    made = told((1, 20))
    ends = {entry[0]: START_S + 60 * (entry[0] - 1) for entry in made}
    kept_back = without(made, (11, 15), (25, 29))
    store.intake(BOX, arrivals(kept_back[:-1]), KEY)
    assert [gap.why for gap in levels.gaps(BOX, ends[5], ends[35])] == [WAITING, WAITING]
    store.intake(BOX, arrivals(kept_back)[-1:], KEY)
    assert levels.gaps(BOX, ends[5], ends[35]) == [
        TimeGap(ends[10], ends[15], GONE),
        TimeGap(ends[24], ends[29], WAITING),
    ]


def test_with_a_year_in_the_store_only_what_was_claimed_is_looked_at(tmp_path):
    with Database.in_folder(tmp_path) as database:
        store = Store(database)
        store.intake(BOX, arrivals(without(told((1, 5)), (7, 9))), KEY)
        with plans_of(database) as plans:
            assert store.doubts(BOX, 1, 7) == store.gaps(BOX) == [lost(7, 9)]
    looked = [plan for plan in plans if "records" in plan]
    assert any("records_of_claims" in plan for plan in looked)
    assert any("records_broken" in plan for plan in looked)
    assert any("records_of_events" in plan for plan in looked)
    assert all(plan.startswith("SEARCH") for plan in looked), looked
