"""The audit log: who changed what, when and from where."""

import pytest
from noisewarden.database import Database
from noisewarden.station.audit import PAGE_ROWS, Audit, By
from noisewarden.station.people import People


@pytest.fixture
def database(tmp_path):
    with Database.in_folder(tmp_path) as database:
        yield database


def test_an_entry_says_who_when_what_and_from_where(database):
    audit = Audit(database, now=lambda: 1_780_000_000.9)
    people = People(database, audit)
    person, _ = people.invite(By(None, "::1"), "Li Ming", "officer")
    audit.note(By(person.id, "192.168.1.7"), "command", "bagu-east-01", "spotlight_on 30 s")
    newest, invited = audit.entries()
    assert vars(newest) == {
        "id": invited.id + 1,
        "at_s": 1_780_000_000,
        "person": "Li Ming",
        "action": "command",
        "about": "bagu-east-01",
        "detail": "spotlight_on 30 s",
        "address": "192.168.1.7",
    }
    assert (invited.person, invited.action, invited.about) == ("", "invite", "Li Ming")


def test_change_and_entry_are_one(database):
    audit = Audit(database)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        audit.note(By(), "role", connection=connection)
        raise RuntimeError("the change failed")
    assert audit.entries() == []


def test_it_is_read_page_by_page(database):
    audit = Audit(database)
    for n in range(PAGE_ROWS + 5):
        audit.note(By(), "role", str(n))
    first = audit.entries()
    second = audit.entries(before=first[-1].id)
    about = [entry.about for entry in first + second]
    assert about == [str(n) for n in reversed(range(PAGE_ROWS + 5))]
    assert len(first) == PAGE_ROWS


def test_what_is_too_long_is_cut(database):
    audit = Audit(database)
    audit.note(By(None, "a" * 99), "role", "b" * 99, "c" * 9999)
    (entry,) = audit.entries()
    assert (len(entry.address), len(entry.about), len(entry.detail)) == (45, 64, 2000)
