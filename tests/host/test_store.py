"""What a station holds: each record once, as it came, gaps and breaks in plain sight."""

import random

import pytest
import sqlalchemy as sql
from host.fakebox import BOX, KEY, MINUTE, OTHER_KEY, START_S, Journal, journal
from host.plans import plans_of
from noisewarden.database import FILE, Database
from noisewarden.errors import UserError
from noisewarden.firmware import wire
from noisewarden.store import Batch, Gap, Intake, Store

pytest_plugins = ["postgres"]


@pytest.fixture
def store(database):
    return Store(database)


def arrivals(entries):
    """With `after` as a box tells it that sends these entries."""
    before = [0, *[entry[0] for entry in entries]]
    return list(zip(entries, before, strict=False))


def take(store, entries, key=None):
    return store.intake(BOX, arrivals(entries), *([key] if key else []))


def states(store):
    return {row.seq: row.chain for row in store.records(BOX)}


def test_a_record_that_comes_twice_is_stored_once(store):
    made = journal(9)
    assert take(store, made[:6]) == Intake(new=6, known=0, conflicts=0, held=6)
    assert take(store, [*made[3:], made[9]]) == Intake(new=4, known=4, conflicts=0, held=10)
    assert [row.seq for row in store.records(BOX)] == list(range(1, 11))
    assert store.held(BOX) == 10


def test_the_record_stands_as_it_came_beside_its_roll_up(store):
    made = journal(1)
    take(store, made)
    boot, minute = store.records(BOX)
    assert (minute.seq, minute.data, minute.mac, minute.previous) == made[1]
    assert (minute.kind, minute.boot, minute.uptime_ms) == ("minute", 1, 60_000)
    assert minute.unix_s == START_S + 60
    for name in ("laeq", "lafmax", "lafmin", "l10", "l50", "l90", "valid_s", "limit", "stage"):
        assert getattr(minute, name) == MINUTE[name]
    assert boot.laeq is None and boot.kind == "boot"


def test_boxes_do_not_mix(store):
    take(store, journal(3))
    store.intake("other", arrivals(journal(5, key=OTHER_KEY)), OTHER_KEY)
    assert (store.held(BOX), store.held("other")) == (4, 6)
    assert store.chain("other")["verified"] == 6
    assert store.chain(BOX)["unverified"] == 4


def test_the_journal_is_read_backwards_page_by_page(store):
    take(store, journal(9))
    assert [row.seq for row in store.journal(BOX, 4)] == [10, 9, 8, 7]
    assert [row.seq for row in store.journal(BOX, 4, below=7)] == [6, 5, 4, 3]
    assert [row.kind for row in store.journal(BOX, 4, below=3)] == ["minute", "boot"]
    assert store.journal("other", 4) == []


def test_what_is_acknowledged_has_no_hole_and_waits_for_what_is_missing(store):
    made = journal(9)
    told = arrivals(made)
    store.intake(BOX, told[:3])
    store.intake(BOX, told[6:])
    assert store.held(BOX) == 3
    assert store.gaps(BOX) == [Gap(4, 6, gone=False)]
    store.intake(BOX, told[4:6])
    assert store.held(BOX) == 3
    assert store.gaps(BOX) == [Gap(4, 4, gone=False)]
    store.intake(BOX, told[3:4])
    assert store.held(BOX) == 10
    assert store.gaps(BOX) == []


@pytest.mark.parametrize("key", [KEY, OTHER_KEY, None])
def test_what_the_box_gave_up_is_a_gap_that_holds_nothing_up(store, key):
    made = journal(29, key=key or KEY)
    made.add("overwritten", first=1, last=5)
    made.add("overwritten", first=6, last=20)
    take(store, [*made[5:10], *made[20:]], key and KEY)
    assert store.held(BOX) == 32
    assert store.gaps(BOX) == [Gap(1, 5, gone=True), Gap(11, 20, gone=True)]


@pytest.mark.parametrize("chance", range(5))
def test_the_order_of_arrival_does_not_matter(store, chance):
    made = journal(40)
    told = arrivals(made)
    random.Random(chance).shuffle(told)
    for at in range(0, len(told), 7):
        store.intake(BOX, told[at : at + 7], KEY)
    assert [(row.seq, row.data, row.mac, row.previous) for row in store.records(BOX)] == made
    assert store.held(BOX) == 41 and store.gaps(BOX) == []
    assert store.chain(BOX) == {"verified": 41, "broken": 0, "unverified": 0}


def changed(entry):
    seq, data, mac, previous = entry
    return seq, data[:-1] + bytes((data[-1] ^ 1,)), mac, previous


def test_a_broken_chain_is_kept_and_marked(store):
    made = journal(9)
    made[4] = changed(made[4])
    take(store, made[:7], KEY)
    take(store, made[7:], KEY)
    assert states(store) == {n: "broken" if n == 5 else "verified" for n in range(1, 11)}


def test_a_record_that_was_cut_out_of_the_chain_shows(store):
    made = journal(9)
    forged = Journal(first=5, mac=made[3][2])
    for entry in made[5:]:
        forged.add("minute", uptime_ms=wire.header(entry[1])[3], unix_s=START_S, **MINUTE)
    take(store, [*made[:3], *[(n, *forged[n - 5][1:]) for n in range(5, 9)]], KEY)
    take(store, made[3:4], KEY)
    assert states(store)[5] == "verified"  # signed, and it continues the fourth
    other = Journal(first=11, mac=bytes(32))
    other.add("fault", text="x")
    store.intake(BOX, [(made[9], 8), (other[0], 10)], KEY)
    assert states(store)[11] == "broken"  # signed, and it does not continue the tenth


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_record_that_does_not_continue_the_one_before_is_broken_in_any_order(store, order):
    """Both are signed, but the second belongs to a journal that was erased."""
    first, other = Journal(), Journal(first=2, mac=bytes(32))
    first.add("fault", text="x")
    other.add("fault", text="y")
    told = [(first[0], 0), (other[0], 1)]
    for at in order:
        store.intake(BOX, [told[at]], KEY)
    assert states(store) == {1: "verified", 2: "broken"}


def test_a_box_whose_secret_was_changed_has_one_chain(store):
    made = journal(3)
    later = Journal(OTHER_KEY, first=5, mac=made[-1][2])
    for _ in range(3):
        later.add("fault", text="x")
    told = arrivals([*made, *later])
    both = OTHER_KEY, KEY
    store.intake_many({BOX: Batch(told[:2], both)})
    store.intake_many({BOX: Batch(told[3:], both)})
    store.intake_many({BOX: Batch(told[2:3], (OTHER_KEY,))})
    assert states(store) == {n: "broken" if n == 3 else "verified" for n in range(1, 8)}
    store.verify(BOX, *both)
    assert store.chain(BOX) == {"verified": 7, "broken": 0, "unverified": 0}


def test_several_boxes_come_in_together(store):
    made, others = arrivals(journal(9)), arrivals(journal(5, key=OTHER_KEY))
    store.intake("b", others[:2])
    assert store.intake_many(
        {
            "c": Batch([]),
            "a": Batch([*made[:4], *made[6:]], (KEY,)),
            "b": Batch([others[1], *others[2:], *arrivals(journal(1))], (OTHER_KEY,)),
        }
    ) == {
        "c": Intake(new=0, known=0, conflicts=0, held=0),
        "a": Intake(new=8, known=0, conflicts=0, held=4),
        "b": Intake(new=4, known=1, conflicts=2, held=6, broken=frozenset(journal(1))),
    }
    assert store.missing("a") == [Gap(5, 6, gone=False)]
    assert store.missing("b") == store.missing("c") == []
    assert store.chain("a") == {"verified": 8, "broken": 0, "unverified": 0}
    # The second came again with the key; the first did not.
    assert store.chain("b") == {"verified": 5, "broken": 0, "unverified": 1}


def test_what_is_missing_is_above_what_is_held_and_still_in_the_box(store):
    made = arrivals(journal(30))
    take(store, [entry for entry, _ in made[5:10]])  # 1 to 5 are gone
    store.intake(BOX, [*made[12:14], (made[20][0], 18), *made[25:]])
    assert store.held(BOX) == 10
    assert store.missing(BOX) == [
        Gap(11, 12, gone=False),
        Gap(15, 20, gone=False),
        Gap(22, 25, gone=False),
    ]


def test_flags_of_all_sixteen_bits_are_kept(store):
    """A box may send what no box should; it must not stop the intake of the others."""
    made = Journal()
    made.add("minute", **(MINUTE | {"flags": 0xFFFF, "valid_s": 255, "limit": 255, "stage": 255}))
    take(store, made)
    (row,) = store.records(BOX)
    assert (row.flags, row.valid_s, row.limit, row.stage) == (0xFFFF, 255, 255, 255)


def test_no_query_of_an_intake_looks_through_the_whole_journal(tmp_path):
    """With a year in it that would take seconds: each step of each plan is a search."""
    with Database.in_folder(tmp_path) as database, plans_of(database) as plans:
        store = Store(database)
        told = arrivals(journal(9, timeless=4))
        for some in (told[:2], told[4:], told[2:4]):
            store.intake(BOX, some, KEY)
    looked = {plan for plan in plans if "records" in plan}
    assert any("records_timeless" in plan for plan in looked)
    for plan in looked:
        assert plan.startswith("SEARCH") and not plan.endswith("PRIMARY KEY (box=?)"), plan


def test_without_the_key_nothing_is_verified_until_it_comes(store):
    made = journal(9)
    made[4] = changed(made[4])
    take(store, made)
    assert store.chain(BOX) == {"verified": 0, "broken": 0, "unverified": 10}
    store.verify(BOX, OTHER_KEY)
    assert store.chain(BOX) == {"verified": 0, "broken": 10, "unverified": 0}
    store.verify(BOX, KEY)
    assert store.chain(BOX) == {"verified": 9, "broken": 1, "unverified": 0}


def test_other_content_under_the_same_number_is_kept_beside_it(store):
    made, erased = journal(9), journal(5, key=OTHER_KEY)
    take(store, made, KEY)
    assert take(store, erased, KEY) == Intake(new=0, known=0, conflicts=6, held=10)
    assert take(store, erased, KEY) == Intake(new=0, known=0, conflicts=6, held=10)
    assert store.conflicts(BOX) == [1, 2, 3, 4, 5, 6]
    assert [row.mac for row in store.records(BOX)] == [entry[2] for entry in made]
    assert store.chain(BOX)["broken"] == 0


def times(store):
    return [(row.unix_s, row.clock) for row in store.records(BOX)]


def test_times_are_resolved_by_a_later_record_of_the_same_boot(store):
    made = journal(5, timeless=2)
    take(store, made[:3])
    assert times(store) == [(None, 0)] * 3
    take(store, made[3:])
    resolved, set_ = 3, 2
    assert times(store) == [
        *[(START_S + 60 * minute, resolved) for minute in range(3)],
        *[(START_S + 60 * minute, set_) for minute in range(3, 6)],
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_times_are_resolved_in_any_order_of_arrival(store, order):
    for arrival in arrivals(journal(5, timeless=2))[::order]:
        store.intake(BOX, [arrival])
    assert [unix_s for unix_s, _ in times(store)] == [START_S + 60 * n for n in range(6)]


def test_a_time_is_resolved_by_what_the_box_knew_and_not_by_what_was_resolved(store):
    """Or halves of seconds would add up from record to record."""
    made = Journal()
    for uptime_ms in range(0, 40_000, 930):
        unix_s = START_S + uptime_ms // 1000 if uptime_ms > 30_000 else None
        made.add("fault", uptime_ms=uptime_ms, unix_s=unix_s, text="x")
    told = arrivals(made)
    take(store, made)
    for arrival in told[::-1]:
        store.intake("backwards", [arrival])
    assert [(row.unix_s, row.clock) for row in store.records("backwards")] == times(store)


def test_a_time_that_no_record_of_its_boot_knows_is_not_guessed(store):
    made = Journal()
    for boot, unix_s in ((1, START_S), (2, None), (2, None), (3, START_S + 900)):
        made.add("fault", boot=boot, uptime_ms=1000, unix_s=unix_s, text="x")
    made.add("fault", boot=2, uptime_ms=5000, unix_s=START_S, text="counts anew: erased")
    take(store, made)
    assert [unix_s for unix_s, _ in times(store)][1:3] == [None, None]


def test_a_body_that_cannot_be_read_is_kept(store):
    made = Journal()
    made.add("fault", text="microphone")
    seq, data, mac, previous = made[0]
    damaged = (seq, data[:-1] + b"\xff", mac, previous)
    assert take(store, [damaged], KEY).new == 1
    assert states(store) == {1: "broken"}


def test_the_store_is_a_durable_file(tmp_path):
    folder = tmp_path / "a" / "station"
    with Database.in_folder(folder) as database:
        take(Store(database), journal(9))
    with Database.in_folder(folder) as database:
        assert Store(database).held(BOX) == 10
        with database.transaction() as connection:
            assert connection.scalar(sql.text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(sql.text("PRAGMA synchronous")) == 2


def test_a_minute_takes_less_than_half_a_kilobyte(tmp_path):
    """DESIGN 6 reckons with 264 MB a box-year: 502 bytes a minute."""
    with Database.in_folder(tmp_path) as database:
        store = Store(database)
        made = journal(2000)
        for at in range(0, len(made), 16):
            take(store, made[at : at + 16])
    assert (tmp_path / FILE).stat().st_size / 2000 < 502


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / FILE).write_bytes(b"no database" * 100), "not a database"),
        (lambda folder: (folder / FILE).mkdir(), "unable to open"),
        (lambda folder: (folder.rmdir(), folder.touch()), "no folder to write to"),
    ],
)
def test_a_folder_that_does_not_serve_is_told_in_one_line(tmp_path, spoil, words):
    folder = tmp_path / "station"
    folder.mkdir()
    spoil(folder)
    with pytest.raises(UserError, match=words) as refusal, Database.in_folder(folder):
        pass
    assert "\n" not in str(refusal.value) and str(folder) in str(refusal.value)


# A broker that pushes evidence aside.

LAST = (1 << 32) - 1


def forged(seq, *, like=None, key=None):
    """A record that nobody's key signed, or the key that everybody knows."""
    made = Journal(key or wire.Key(bytes(32)), first=seq, mac=like[3] if like else bytes(32))
    made.add("fault", unix_s=START_S, text="made up")
    return made[0]


@pytest.mark.parametrize("key", [None, OTHER_KEY])
@pytest.mark.parametrize("seq", [5, 8, LAST])
def test_a_forged_record_is_kept_and_carries_nothing(store, seq, key):
    told = arrivals(journal(9))
    store.intake(BOX, told[:4], KEY)
    assert store.intake(BOX, [(forged(seq, key=key), 4)], KEY).held == 4
    assert seq in states(store) and states(store)[seq] != "verified"
    assert [gap for gap in store.gaps(BOX) if gap.gone] == []
    store.intake(BOX, told[5:7], KEY)
    # Of what is missing the box is asked for all that it has, and for no more.
    assert store.missing(BOX) == ([] if seq == 5 else [Gap(5, 5, gone=False)])
    store.intake(BOX, told[4:5], KEY)
    store.intake(BOX, told[7:], KEY)
    assert store.held(BOX) == 10 and store.missing(BOX) == []
    rows = {row.seq: (row.seq, row.data, row.mac, row.previous) for row in store.records(BOX)}
    assert [rows[entry[0]] for entry, _ in told] == [entry for entry, _ in told]
    assert {states(store)[n] for n in range(1, 11)} == {"verified"}
    assert store.conflicts(BOX) == ([] if seq == LAST else [seq])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_the_verified_record_takes_the_place_of_the_forged_one(store, order, together):
    made = journal(9)
    told = arrivals(made)
    false = forged(5, like=made[4])
    came = [(false, 4), told[4]][::order]
    store.intake(BOX, [*told[:4], *told[5:]], KEY)
    for some in [came] if together else [came[:1], came[1:]]:
        result = store.intake(BOX, some, KEY)
    assert result.held == 10
    assert [(row.seq, row.data, row.mac, row.previous) for row in store.records(BOX)] == made
    assert store.chain(BOX) == {"verified": 10, "broken": 0, "unverified": 0}
    assert store.conflicts(BOX) == [5]


def test_a_verified_record_gives_way_to_nothing(store):
    """Not to one that the same key signed in a journal that was erased."""
    made, anew = journal(9), journal(9, timeless=3)
    take(store, made, KEY)
    assert take(store, [anew[0], forged(4)], KEY).conflicts == 2
    assert [row.mac for row in store.records(BOX)] == [entry[2] for entry in made]


@pytest.mark.parametrize("damage", ["data", "mac"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_the_flash_damaged_is_passed_by_the_verified_record_behind_it(store, damage, at_once):
    made = journal(9)
    if damage == "data":
        made[4] = changed(made[4])
    else:  # which is the previous mac of the next one too
        made[4] = (*made[4][:2], bytes(32), made[4][3])
        made[5] = (*made[5][:3], bytes(32))
    told = arrivals(made)
    held = []
    for some in [told] if at_once else [[arrival] for arrival in told]:
        held.append(store.intake(BOX, some, KEY).held)
    damaged = {"data": [5], "mac": [5, 6]}[damage]
    assert [n for n, state in states(store).items() if state == "broken"] == damaged
    assert held[-1] == 10 and store.gaps(BOX) == []
    if not at_once:
        assert held == [4 if n in damaged else n for n in range(1, 11)]
    doubts = [Gap(n, n, gone=False) for n in damaged]
    assert store.doubts(BOX, 1, 5) == doubts and store.doubts(BOX, 6, 5) == doubts[1:]
    assert store.doubts(BOX, 1, 1) == doubts[:1]


def test_a_box_that_wrote_before_it_had_a_secret_is_acknowledged_from_the_start(store):
    before = journal(4, key=OTHER_KEY)
    own = Journal(first=6, mac=before[-1][2])
    for _ in range(2):
        own.add("fault", unix_s=START_S, text="x")
    told = arrivals([*before, *own])[2:]  # the first two are gone
    told[0] = told[0][0], 0
    assert store.intake(BOX, told[:3], KEY).held == 5
    assert store.intake(BOX, told[3:], KEY).held == 7
    assert store.intake(BOX, [(forged(8, key=OTHER_KEY), 7)], KEY).held == 7


def test_what_came_under_a_wrong_key_is_held_when_it_comes_again_or_is_verified(store):
    made = journal(9)
    for box in (BOX, "again"):
        assert store.intake(box, arrivals(made), wire.Key(bytes(32))).held == 0
    store.verify(BOX, KEY)
    assert store.held(BOX) == 10
    assert store.intake("again", arrivals(made), KEY) == Intake(0, 10, 0, held=10)
    assert store.chain("again")["verified"] == 10 and store.conflicts("again") == []
