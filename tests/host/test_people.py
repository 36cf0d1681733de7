"""Accounts, sessions, invitations and machine tokens; guessing that is made slow."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import argon2
import pytest
from noisewarden.database import FILE, Database, DatabaseRefuses
from noisewarden.station.audit import Audit, By
from noisewarden.station.people import (
    ADMINISTRATOR,
    INVITATION_S,
    OFFICER,
    ROLES,
    People,
)
from noisewarden.station.refusals import Refused, Throttled
from noisewarden.station.sessions import (
    IDLE_S,
    INVITATION,
    MACHINE,
    SESSION,
    SESSION_S,
    SESSIONS_MOST,
)
from noisewarden.station.throttle import FORGET_S, REMEMBERED, Throttle

PASSWORD = "seven dry umbrellas"
BY = By(None, "127.0.0.1")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people(tmp_path, clock, monkeypatch):
    cheap = partial(argon2.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(argon2, "PasswordHasher", cheap)  # what it costs is not looked at here
    with Database.in_folder(tmp_path) as database:
        yield People(database, Audit(database, clock), clock)


def token(link: str) -> str:
    path, _, found = link.partition("#")
    assert path == "/welcome"
    return found


def open_account(people: People, name: str = "Li Ming", role: str = OFFICER) -> int:
    _, link = people.invite(BY, name, role)
    return people.accept(token(link), "", PASSWORD, "here").id


def administer(people: People, name: str = "Chief") -> int:
    link = people.setup_link()
    assert link
    return people.accept(token(link), name, PASSWORD, "here").id


def refusal(work, *arguments, **options) -> str:
    with pytest.raises(Refused) as refused:
        work(*arguments, **options)
    assert "\n" not in str(refused.value)
    return refused.value.code


def log_in(people: People, name: str = "Li Ming", password: str = PASSWORD) -> str:
    return people.log_in(name, password, "127.0.0.1")[0]


# The first start.


def test_the_set_up_link_makes_an_administrator_once(people):
    link = people.setup_link()
    assert people.invited(token(link)).name == ""
    person = people.accept(token(link), "Chief", PASSWORD, "here")
    assert (person.name, person.role, person.ready) == ("Chief", ADMINISTRATOR, True)
    assert refusal(people.accept, token(link), "Other", PASSWORD, "here") == "link-used"
    assert people.setup_link() is None
    assert [person.name for person in people.everybody()] == ["Chief"]


def test_a_new_set_up_link_ends_the_one_before(people):
    before, link = people.setup_link(), people.setup_link()
    assert refusal(people.invited, token(before)) == "link-used"
    assert people.invited(token(link)).role == ADMINISTRATOR


def test_two_who_follow_a_link_at_once_are_one(people):
    link = token(people.setup_link())

    def follow(name: str) -> bool:
        try:
            people.accept(link, name, PASSWORD, "here")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(follow, ("Ann", "Bea", "Cy", "Di"))) == 1
    assert len(people.everybody()) == 1


def test_nobody_logs_in_as_the_account_that_waits_for_its_first_person(people):
    people.setup_link()
    assert refusal(people.log_in, "", "", "here") == "wrong-password"


def test_a_link_expires(people, clock):
    _, link = people.invite(BY, "Li Ming", OFFICER)
    clock.now_s += INVITATION_S
    assert refusal(people.invited, token(link)) == "link-used"
    assert refusal(people.accept, token(link), "", PASSWORD, "here") == "link-used"


def test_the_station_itself_can_let_an_administrator_in_again(people):
    administer(people)
    link = people.recovery_link("Chief")
    log_in(people, "Chief")  # until it is followed, the old password holds
    left_open = log_in(people, "Chief")  # by whoever knows the old one
    people.accept(token(link), "", "another seven umbrellas", "here")
    assert people.sessions.find(left_open, SESSION) is None
    assert refusal(log_in, people, "Chief") == "wrong-password"
    log_in(people, "Chief", "another seven umbrellas")


# Names and passwords.


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("short", "Li Ming"),
        ("x" * 201, "Li Ming"),
        ("abababababababab", "Li Ming"),
        ("my name is li ming", "Li Ming"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(people, password, name):
    _, link = people.invite(BY, name, OFFICER)
    assert refusal(people.accept, token(link), "", password, "here") == "weak-password"
    people.accept(token(link), "", PASSWORD, "here")  # the link is not used up by that


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "Li\0Ming", "\u202egnimiL"])
def test_a_name_that_cannot_stand_in_a_log_is_refused(people, name):
    assert refusal(people.invite, BY, name, OFFICER) == "bad-name"


@pytest.mark.parametrize("name", ["Li Ming", "li ming", " Li  Ming ", "Ｌｉ　Ｍｉｎｇ"])
def test_names_that_look_the_same_are_the_same(people, name):
    open_account(people, "Li Ming")
    assert refusal(people.invite, BY, name, OFFICER) == "name-taken"


def test_there_are_four_roles_and_each_may_what_those_before_may(people):
    assert refusal(people.invite, BY, "Li Ming", "root") == "bad-role"
    for n, role in enumerate(ROLES):
        person, _ = people.invite(BY, f"person {n}", role)
        assert [person.may(other) for other in ROLES] == [m <= n for m in range(4)]


# Sessions.


def test_a_session_stands_for_its_person(people, clock):
    person = open_account(people)
    session = people.sessions.find(log_in(people), SESSION)
    assert (session.person, session.name, session.role) == (person, "Li Ming", OFFICER)
    assert session.expires_s == clock.now_s + SESSION_S
    assert len(session.csrf) >= 32


def test_each_log_in_is_another_session(people):
    open_account(people)
    one, other = log_in(people), log_in(people)
    assert one != other
    people.sessions.log_out(one)
    assert people.sessions.find(one, SESSION) is None
    assert people.sessions.find(other, SESSION)


def test_no_secret_lies_in_the_database(people, tmp_path):
    open_account(people)
    kept = log_in(people)
    csrf = people.sessions.find(kept, SESSION).csrf
    with sqlite3.connect(tmp_path / FILE) as connection:
        dump = "\n".join(connection.iterdump())
    assert csrf in dump  # which opens nothing without the token
    assert kept not in dump and PASSWORD not in dump
    assert "$argon2id$" in dump


def test_a_quiet_session_ends_and_one_that_is_used_does_not(people, clock):
    open_account(people)
    quiet, used = log_in(people), log_in(people)
    for _ in range(3):
        clock.now_s += IDLE_S / 2
        assert people.sessions.find(used, SESSION)
    assert people.sessions.find(quiet, SESSION) is None


def test_a_database_that_takes_nothing_lets_people_look_on(people, clock, monkeypatch):
    """On a full disk the live pages are all that is left."""
    open_account(people)
    session = log_in(people)
    clock.now_s += IDLE_S / 2

    def full():
        raise DatabaseRefuses("station.sqlite: the database refuses (disk is full); make room")

    monkeypatch.setattr(people.sessions, "_transaction", full)
    found = people.sessions.find(session, SESSION)
    assert found and found.name == "Li Ming"


def test_a_changed_password_ends_the_link_that_would_change_it_again(people):
    administer(people)
    link = people.recovery_link("Chief")
    people.change_password(BY, 1, PASSWORD, "another seven umbrellas")
    assert refusal(people.invited, token(link)) == "link-used"


def test_a_clock_that_is_set_back_makes_no_session_longer(people, clock):
    """A laptop may start with a wrong time, and learn the right one later."""
    administer(people)
    open_account(people)
    clock.now_s += 7 * 86_400
    session = log_in(people)
    clock.now_s -= 30  # as a clock is corrected from day to day
    assert people.sessions.find(session, SESSION)
    clock.now_s -= 7 * 86_400
    assert people.sessions.find(session, SESSION) is None
    assert people.sessions.find(log_in(people), SESSION)


def test_no_session_outlives_a_shift(people, clock):
    open_account(people)
    session = log_in(people)
    for _ in range(SESSION_S // 3600 - 1):
        clock.now_s += 3600
        assert people.sessions.find(session, SESSION)
    clock.now_s += 3600
    assert people.sessions.find(session, SESSION) is None


def test_a_token_is_good_for_its_own_kind_alone(people):
    person, link = people.invite(BY, "Li Ming", OFFICER)
    kinds = {INVITATION: token(link)}
    kinds[MACHINE] = people.issue_token(BY, person.id, "export", days=1)
    people.accept(kinds[INVITATION], "", PASSWORD, "here")
    kinds[INVITATION] = token(people.recovery_link("Li Ming"))
    kinds[SESSION] = log_in(people)
    for kind, one in kinds.items():
        for other in kinds:
            found = people.sessions.find(one, other)
            assert bool(found) == (kind == other), (kind, other)


def test_the_sessions_of_a_person_are_few(people, clock):
    open_account(people)
    sessions = []
    for _ in range(SESSIONS_MOST + 3):
        clock.now_s += 1
        sessions.append(log_in(people))
    alive = [people.sessions.find(session, SESSION) is not None for session in sessions]
    assert alive == [False] * 3 + [True] * SESSIONS_MOST


@pytest.mark.parametrize("change", ["disable", "password", "invite again"])
def test_what_ends_all_sessions(people, change):
    administer(people)
    person = open_account(people)
    session = log_in(people)
    machine = people.issue_token(BY, person, "export", days=30)
    if change == "disable":
        people.change(BY, person, disabled=True)
    elif change == "password":
        people.change_password(By(person, "here"), person, PASSWORD, "another seven umbrellas")
    else:
        people.invite_again(BY, person)
    assert people.sessions.find(session, SESSION) is None
    assert bool(people.sessions.find(machine, MACHINE)) == (change == "password")
    assert refusal(log_in, people) == "wrong-password"


@pytest.mark.parametrize("change", ["disable", "password", "invite again"])
@pytest.mark.parametrize(
    "work",
    [
        lambda people, _: log_in(people),
        lambda people, person: people.change_password(BY, person, PASSWORD, PASSWORD + "!"),
    ],
    ids=["log in", "change it"],
)
def test_a_password_that_ends_while_it_is_tried_opens_nothing(people, monkeypatch, work, change):
    """Argon2 takes a tenth of a second, in which an administrator may shut a thief out."""
    administer(people)
    person = open_account(people)
    right = people._passwords.right

    def meanwhile(*tried):
        found = right(*tried)
        monkeypatch.undo()
        if change == "disable":
            people.change(BY, person, disabled=True)
        elif change == "password":
            people.change_password(BY, person, PASSWORD, "another seven umbrellas")
        else:
            people.invite_again(BY, person)
        return found

    monkeypatch.setattr(people._passwords, "right", meanwhile)
    assert refusal(work, people, person) == "wrong-password"


def test_a_role_that_is_taken_away_is_gone_at_once(people):
    administer(people)
    person = open_account(people)
    session = log_in(people)
    people.change(BY, person, role="viewer")
    assert people.sessions.find(session, SESSION).role == "viewer"


# Those who administer.


@pytest.mark.parametrize("last", ["role", "disable", "invite again"])
def test_the_last_administrator_stays(people, last):
    person = administer(people)
    work = {
        "role": lambda: people.change(BY, person, role=OFFICER),
        "disable": lambda: people.change(BY, person, disabled=True),
        "invite again": lambda: people.invite_again(BY, person),
    }[last]
    assert refusal(work) == "last-administrator"
    assert people.get(person).role == ADMINISTRATOR
    log_in(people, "Chief")  # nothing of it was done
    open_account(people, "Deputy", ADMINISTRATOR)
    work()
    assert people.setup_link() is None


def test_a_shut_account_is_opened_again_with_its_name(people):
    administer(people)
    person = open_account(people)
    assert people.change(BY, person, disabled=True).disabled_s is not None
    assert refusal(people.issue_token, BY, person, "export", days=1) == "disabled"
    assert people.change(BY, person, disabled=False).disabled_s is None
    log_in(people)


def test_every_change_is_in_the_audit_log(people):
    chief = administer(people)
    by = By(chief, "192.168.1.7")
    person, link = people.invite(by, "Li Ming", OFFICER)
    people.accept(token(link), "", PASSWORD, "::1")
    log_in(people)
    refusal(log_in, people, password="wrong wrong wrong")
    people.change_password(By(person.id, "::1"), person.id, PASSWORD, PASSWORD + "!")
    people.change(by, person.id, role="technician")
    people.issue_token(by, person.id, "export", days=1)
    people.revoke_token(by, person.id, people.sessions.machines(person.id)[0].id)
    people.change(by, person.id, disabled=True)
    people.change(by, person.id, disabled=False)
    people.invite_again(by, person.id)
    entries = people._audit.entries()[::-1]
    assert [(entry.person, entry.action, entry.detail) for entry in entries] == [
        ("Chief", "accept", ""),
        ("Chief", "invite", "officer"),
        ("Li Ming", "accept", ""),
        ("Li Ming", "log in", ""),
        ("", "log in refused", ""),
        ("Li Ming", "password", ""),
        ("Chief", "role", "technician"),
        ("Chief", "token", "export"),
        ("Chief", "revoke token", "export"),
        ("Chief", "disable", ""),
        ("Chief", "enable", ""),
        ("Chief", "invite again", ""),
    ]
    assert {entry.address for entry in entries} == {"here", "::1", "127.0.0.1", "192.168.1.7"}
    assert not any(PASSWORD in str(entry) for entry in entries)


# Machines.


def test_a_machine_has_a_token_until_it_is_revoked_or_expires(people, clock):
    person = open_account(people)
    one = people.issue_token(BY, person, "export", days=1)
    other = people.issue_token(BY, person, "metrics", days=30)
    assert people.sessions.find(one, MACHINE).csrf == ""
    listed = people.sessions.machines(person)
    assert [token.label for token in listed] == ["export", "metrics"]
    clock.now_s += 24 * 3600
    assert people.sessions.find(one, MACHINE) is None
    assert people.sessions.find(other, MACHINE)
    people.revoke_token(BY, person, listed[1].id)
    assert people.sessions.find(other, MACHINE) is None
    assert refusal(people.revoke_token, BY, person, listed[1].id) == "unknown"


# Guessing.


def test_wrong_passwords_make_an_account_wait_and_a_right_one_does_not_help(people):
    open_account(people)
    for _ in range(5):
        assert refusal(log_in, people, password="wrong wrong wrong") == "wrong-password"
    with pytest.raises(Throttled) as throttled:
        log_in(people)
    assert 1 <= throttled.value.wait_s <= 2


def test_an_account_that_is_not_there_answers_like_one_that_is(people):
    open_account(people)
    answers = {
        name: [refusal(log_in, people, name, "wrong wrong wrong") for _ in range(6)]
        for name in ("Li Ming", "Nobody")
    }
    assert answers["Li Ming"] == answers["Nobody"] == ["wrong-password"] * 5 + ["throttled"]


def test_an_address_that_tries_many_names_waits(people):
    codes = [refusal(log_in, people, f"name {n}", "wrong wrong wrong") for n in range(21)]
    assert codes == ["wrong-password"] * 20 + ["throttled"]
    assert refusal(people.log_in, "name 99", "wrong", "192.168.1.7") == "wrong-password"


def test_an_address_that_waits_cannot_make_an_account_wait(people):
    open_account(people)
    for n in range(20):
        refusal(log_in, people, f"name {n}", "wrong wrong wrong")
    for _ in range(10):
        assert refusal(log_in, people) == "throttled"
    people.log_in("Li Ming", PASSWORD, "192.168.1.7")


def test_an_account_that_waits_cannot_make_an_address_wait(people):
    """All officers at the laptop have one address, and somebody elsewhere guesses for one."""
    open_account(people)
    open_account(people, "Wang Fang")
    for _ in range(7):
        refusal(people.log_in, "Li Ming", "wrong wrong wrong", "elsewhere")
    for _ in range(40):
        refusal(people.log_in, "Li Ming", "wrong wrong wrong", "here")
    assert people.log_in("Wang Fang", PASSWORD, "here")


def test_waits_double_up_to_the_longest_and_are_forgotten(clock):
    throttle = Throttle(free=3, most_wait_s=10, now=clock)
    waits = []
    for _ in range(8):
        while wait_s := throttle.enter("key"):
            waits.append(wait_s)
            clock.now_s += wait_s
    assert waits == [1, 2, 4, 8, 10]
    clock.now_s += FORGET_S + 1
    assert [throttle.enter("key") for _ in range(4)] == [0, 0, 0, 1]


def test_a_right_try_begins_anew(clock):
    throttle = Throttle(free=2, most_wait_s=10, now=clock)
    for _ in range(5):
        assert throttle.enter("key") == 0
        throttle.passed("key")


def test_tries_at_the_same_moment_are_all_counted(clock):
    throttle = Throttle(free=5, most_wait_s=10, now=clock)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(throttle.enter, ["key"] * 40))
    assert waits.count(0) == 5


def test_its_memory_is_bounded_and_the_latest_stay(clock):
    throttle = Throttle(free=1, most_wait_s=10, now=clock)
    for n in range(REMEMBERED + 10):
        throttle.enter(f"key {n}")
    assert len(throttle._tries) == REMEMBERED
    assert throttle.enter(f"key {REMEMBERED}") == 1
    assert throttle.enter("key 0") == 0
