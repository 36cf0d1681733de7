"""The station's pages and API over real HTTP: who is let in, and what nobody is told."""

import inspect
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from noisewarden import firmware
from noisewarden.database import DatabaseRefuses
from noisewarden.station import people
from noisewarden.station.audit import By
from noisewarden.station.health import BrokerHealth
from noisewarden.station.people import ROLES
from noisewarden.station.sessions import IDLE_S
from noisewarden.station.web import events as events_of_pages
from noisewarden.station.web import languages
from noisewarden.station.web.app import BODY_MOST_BYTES
from noisewarden.station.web.events import CHECK_S
from prometheus_client.parser import text_string_to_metric_families
from served import ADMIN, PASSWORD, Served
from system.boxes import PATIENCE_S, until

API = "/api/v1"
NOBODY = "nobody"
NAMES = {"viewer": "Vera", "officer": "Oscar", "technician": "Tess", "administrator": ADMIN}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("station")) as served:
        served.administrator()
        for role in ROLES[:-1]:
            served.account(NAMES[role], role)
        served.add_box("bagu-east-01", "Bagu square, east")
        yield served


@pytest.fixture(scope="module")
def visitors(station):
    """A browser of each role, and one of nobody."""
    made = {role: station.visitor(name) for role, name in NAMES.items()}
    yield made | {NOBODY: station.visitor()}
    for visitor in made.values():
        visitor.close()


# Each route, and the least role that may use it; None for anybody.

ROUTES = {
    ("GET", "/session"): "viewer",
    ("POST", "/session"): None,
    ("DELETE", "/session"): "viewer",
    ("PUT", "/session/password"): "viewer",
    ("POST", "/invitation"): None,
    ("POST", "/invitation/acceptance"): None,
    ("GET", "/boxes"): "viewer",
    ("GET", "/today"): "viewer",
    ("GET", "/boxes/{box}"): "viewer",
    ("GET", "/boxes/{box}/minutes"): "viewer",
    ("GET", "/boxes/{box}/seconds"): "viewer",
    ("GET", "/boxes/{box}/statistics"): "viewer",
    ("GET", "/boxes/{box}/gaps"): "viewer",
    ("GET", "/boxes/{box}/hours"): "viewer",
    ("GET", "/boxes/{box}/days"): "viewer",
    ("GET", "/boxes/{box}/span"): "viewer",
    ("GET", "/boxes/{box}/records"): "viewer",
    ("GET", "/boxes/{box}/chain"): "viewer",
    ("GET", "/boxes/{box}/configuration"): "viewer",
    ("POST", "/boxes/{box}/configuration/problems"): "officer",
    ("POST", "/boxes/{box}/what-if"): "officer",
    ("POST", "/boxes/{box}/temporary-limit"): "officer",
    ("DELETE", "/boxes/{box}/temporary-limit"): "officer",
    ("GET", "/boxes/{box}/commands"): "viewer",
    ("POST", "/boxes/{box}/commands"): "officer",
    ("GET", "/commands/{command}"): "viewer",
    ("GET", "/incidents"): "viewer",
    ("GET", "/incidents/{incident}"): "viewer",
    ("PATCH", "/incidents/{incident}"): "officer",
    ("POST", "/incidents/{incident}/interventions"): "officer",
    ("GET", "/incidents/{incident}/case"): "officer",
    ("GET", "/stream"): "viewer",
    ("GET", "/register"): "technician",
    ("POST", "/register"): "technician",
    ("DELETE", "/register/{box}"): "technician",
    ("GET", "/plans"): "viewer",
    ("POST", "/plans"): "technician",
    ("DELETE", "/plans/{plan}"): "technician",
    ("GET", "/plans/{plan}/picture"): "viewer",
    ("PUT", "/plans/{plan}/boxes/{box}"): "technician",
    ("DELETE", "/plans/{plan}/boxes/{box}"): "technician",
    ("GET", "/health"): "viewer",
    ("GET", "/people/names"): "viewer",
    ("GET", "/people"): "administrator",
    ("POST", "/people"): "administrator",
    ("PATCH", "/people/{person}"): "administrator",
    ("POST", "/people/{person}/invitation"): "administrator",
    ("GET", "/people/{person}/tokens"): "administrator",
    ("POST", "/people/{person}/tokens"): "administrator",
    ("DELETE", "/people/{person}/tokens/{token}"): "administrator",
    ("GET", "/audit"): "administrator",
}
WATCHED = {("GET", "/healthz"): None, ("GET", "/metrics"): "viewer"}
PAGES = {
    "/": "viewer",
    "/account": "viewer",
    "/boxes/bagu-east-01": "viewer",
    "/incidents": "viewer",
    "/incidents/1": "viewer",
    "/plan": "technician",
    "/register": "technician",
    "/health": "viewer",
    "/people": "administrator",
    "/audit": "administrator",
}
ALL_ROUTES = {(method, API + path): role for (method, path), role in ROUTES.items()} | WATCHED


NOT_THERE = {
    "box": "no-such-box",
    "person": "9999",
    "token": "none",
    "command": "0",
    "incident": "9999",
    "plan": "9999",
}


def ask(visitor: httpx.Client, method: str, path: str, **options) -> int:
    """The status of a request whose body, if any, is empty JSON; streams are not read."""
    for name, value in NOT_THERE.items():
        path = path.replace(f"{{{name}}}", value)
    body = {} if method == "GET" else {"json": {}}
    with visitor.stream(method, path, **body, **options) as answer:
        return answer.status_code


def test_the_table_has_every_route_of_the_openapi_document(station, visitors):
    document = visitors[NOBODY].get(f"{API}/openapi.json").json()
    routes = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert routes == set(ALL_ROUTES)


@pytest.mark.parametrize("asker", [NOBODY, *ROLES])
@pytest.mark.parametrize(("method", "path"), ALL_ROUTES)
def test_each_route_lets_in_who_may_and_nobody_else(station, visitors, asker, method, path):
    role = ALL_ROUTES[method, path]
    if (method, path) == ("DELETE", f"{API}/session"):  # which the others still need
        with station.visitor(NAMES.get(asker)) as leaver:
            status = ask(leaver, method, path)
    else:
        status = ask(visitors[asker], method, path)
    if asker == NOBODY and role:
        assert status == 401
    elif role and ROLES.index(asker) < ROLES.index(role):
        assert status == 403
    else:
        assert status not in (401, 403) and status < 500


@pytest.mark.parametrize("asker", [NOBODY, *ROLES])
@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_shown_to_who_may_see_it(visitors, asker, path):
    answer = visitors[asker].get(path, headers={"Accept": "text/html"})
    if asker == NOBODY:
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?to={path}")
    elif ROLES.index(asker) < ROLES.index(PAGES[path]):
        assert answer.status_code == 403 and "<h1>" in answer.text
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [key for key in ALL_ROUTES if key[0] != "GET" and ALL_ROUTES[key]]
)
@pytest.mark.parametrize("token", ["", "of-another-session"])
def test_a_session_changes_nothing_without_the_token_of_its_page(visitors, method, path, token):
    status = ask(visitors["administrator"], method, path, headers={"X-CSRF-Token": token})
    assert status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_changes_nothing_and_logs_nobody_in(visitors, headers):
    given = {"name": ADMIN, "password": PASSWORD}
    answer = visitors[NOBODY].post(f"{API}/session", json=given, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "other-site")
    assert "set-cookie" not in answer.headers


def test_a_form_of_another_site_is_no_json(visitors):
    text = json.dumps({"name": ADMIN, "password": PASSWORD})
    headers = {"Content-Type": "text/plain"}
    answer = visitors[NOBODY].post(f"{API}/session", content=text, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "[::1", "a@127.0.0.1:1@evil.example"]
)
def test_a_foreign_name_that_points_here_gets_nothing(station, host):
    with socket.create_connection(("127.0.0.1", station._server.port)) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status = connection.recv(4096).split()[1]
    assert status in (b"421", b"400")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]:8443", "LOCALHOST:9"])
def test_its_own_names_are_answered(visitors, host):
    assert visitors[NOBODY].get("/healthz", headers={"Host": host}).status_code == 200


# Sessions over HTTP.


def cookie(answer: httpx.Response):
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel


def test_the_cookie_is_for_this_station_and_no_script(station):
    with station.visitor() as visitor:
        morsel = cookie(visitor.log_in(ADMIN))
    assert morsel["httponly"] and morsel["samesite"] == "strict" and morsel["path"] == "/"
    assert not morsel["secure"] and not morsel["domain"]


def test_a_session_that_was_put_into_a_browser_is_never_taken_up(station):
    with station.visitor() as visitor:
        visitor.cookies.set("session", "planted" * 6, domain="localhost.local")
        morsel = cookie(visitor.log_in(ADMIN))
        assert "planted" not in morsel.value
    with station.visitor() as visitor, station.visitor() as thief:
        before = cookie(visitor.log_in(NAMES["viewer"])).value
        thief.headers["Cookie"] = f"session={before}"
        assert thief.get(f"{API}/session").json()["name"] == NAMES["viewer"]
        visitor.log_in(ADMIN)
        assert thief.get(f"{API}/session").status_code == 401


def test_logging_out_ends_the_session_for_whoever_has_the_cookie(station):
    with station.visitor() as visitor, station.visitor() as thief:
        thief.headers["Cookie"] = f"session={cookie(visitor.log_in(ADMIN)).value}"
        assert visitor.delete(f"{API}/session").status_code == 204
        assert thief.get(f"{API}/session").status_code == 401


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/session", {"name": "\x00", "password": PASSWORD}),
        ("/people", {"name": "\x00", "role": "viewer"}),
        ("/people/1/tokens", {"label": "\x00"}),
        ("/people/1/tokens", {"label": "x", "\ud800": 1}),
    ],
)
def test_what_no_database_or_document_takes_is_refused(visitors, path, given):
    headers = {"Content-Type": "application/json"}
    answer = visitors["administrator"].post(
        f"{API}{path}", content=json.dumps(given), headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_guessing_is_told_to_wait(station, monkeypatch):
    # By a clock that stands still: a wait is over in a second or two.
    tries, now_s = station.people._passwords._accounts, time.monotonic()
    monkeypatch.setattr(tries, "_now", lambda: now_s)
    with station.visitor() as visitor:
        statuses = [visitor.log_in("Guessed", "wrong wrong").status_code for _ in range(6)]
        answer = visitor.log_in("Guessed", "wrong wrong")
    assert statuses[:5] == [401] * 5
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1


def test_x_forwarded_for_is_not_believed(station):
    with station.visitor() as visitor:
        visitor.headers["X-Forwarded-For"] = "6.6.6.6"
        visitor.log_in(ADMIN)
    assert station.audit.entries()[0].address == "127.0.0.1"


def test_an_account_from_invitation_to_its_end(station, visitors):
    admin = visitors["administrator"]
    invited = admin.post(f"{API}/people", json={"name": "New", "role": "viewer"}).json()
    token = invited["link"].partition("#")[2]
    person = f"{API}/people/{invited['person']['id']}"
    with station.visitor() as visitor:
        look = visitor.post(f"{API}/invitation", json={"token": token})
        assert look.json() == {"name": "New", "role": "viewer"}
        accepted = {"token": token, "password": PASSWORD}
        statuses = [
            visitor.post(f"{API}/invitation/acceptance", json=accepted).status_code
            for _ in range(2)
        ]
        assert statuses == [204, 410]
        assert visitor.log_in("New").status_code == 204
        changed = admin.patch(person, json={"role": "officer", "disabled": True}).json()
        assert changed["role"] == "officer" and changed["disabled_s"]
        assert visitor.get(f"{API}/session").status_code == 401
        assert visitor.log_in("New").json()["code"] == "wrong-password"


def test_a_change_of_an_account_is_made_as_a_whole_or_not_at_all(station, visitors):
    before = station.audit.entries()
    everybody = station.people.everybody()
    [chief] = [person for person in everybody if person.role == "administrator"]
    answer = visitors["administrator"].patch(
        f"{API}/people/{chief.id}", json={"role": "administrator", "disabled": True}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "last-administrator")
    assert station.audit.entries() == before


@pytest.mark.parametrize("role", ["\ud800", "chief"])
def test_what_is_no_role_is_refused(visitors, role):
    answer = visitors["administrator"].post(
        f"{API}/people",
        content=json.dumps({"name": "Somebody", "role": role}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422


def test_a_machine_reads_with_its_token_and_administers_nothing(station, visitors):
    admin = visitors["administrator"]
    machine = admin.post(f"{API}/people", json={"name": "grafana", "role": "viewer"}).json()
    tokens = f"{API}/people/{machine['person']['id']}/tokens"
    bearer = admin.post(tokens, json={"label": "scrape"}).json()["token"]
    (listed,) = admin.get(tokens).json()
    assert bearer not in json.dumps(listed)
    with station.visitor() as visitor:
        visitor.headers["Authorization"] = f"Bearer {bearer}"
        assert visitor.get(f"{API}/boxes").status_code == 200
        assert 'noisewarden_boxes{state="admitted"} 1.0' in visitor.get("/metrics").text
        assert visitor.delete(f"{API}/session").status_code == 403
        assert admin.delete(f"{tokens}/{listed['id']}").status_code == 204
        assert visitor.get(f"{API}/boxes").status_code == 401


def test_metrics_tell_the_health_of_the_station(station, visitors, monkeypatch):
    own = station.station.health
    monkeypatch.setattr(own, "messages", lambda: {"reading": 7, "damaged": 2})
    monkeypatch.setattr(own, "records", lambda: {"new": 5, "commit_ms": 1500, "pending": 3})
    monkeypatch.setattr(
        own, "broker", lambda: BrokerHealth("own", True, True, 4, {"not authorised": 1})
    )
    station.soon(station.live.trouble, "usb /dev/ttyUSB0", "gone; plug it in")
    families = text_string_to_metric_families(visitors["viewer"].get("/metrics").text)
    station.soon(station.live.trouble, "usb /dev/ttyUSB0", "")
    told = {}
    for family in families:
        assert family.documentation and family.name.startswith("noisewarden_")
        for sample in family.samples:
            told[sample.name.removeprefix("noisewarden_"), *sample.labels.values()] = sample.value
    assert told["messages_total", "reading"] == 7 and told["messages_total", "damaged"] == 2
    assert told["records_total", "new"] == 5 and told["records_total", "known"] == 0
    assert told["records_pending",] == 3 and told["commit_seconds_total",] == 1.5
    assert told["broker_up",] == 1 and told["broker_refused_total", "not authorised"] == 1
    assert told["troubles",] == 1 == told["trouble", "usb /dev/ttyUSB0"]
    assert 0 < told["disk_free_bytes",] < told["disk_size_bytes",]
    assert told["database_size_bytes",] > 10_000
    assert abs(told["start_time_seconds",] - time.time()) < 600


def test_a_machine_of_an_administrator_administers_nothing_either(station):
    bearer = station.people.issue_token(By(), 1, "backup", 1)
    with station.visitor() as visitor:
        visitor.headers["Authorization"] = f"Bearer {bearer}"
        assert visitor.get(f"{API}/audit").json()["code"] == "forbidden"


# What nobody is told, and how it is told.


@pytest.mark.parametrize("path", ["/login", "/nowhere", f"{API}/boxes", "/static/station.css"])
def test_every_answer_forbids_a_browser_what_it_need_not_do(visitors, path):
    headers = visitors[NOBODY].get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    kept = "no-cache" if path.startswith("/static/") else "no-store"
    assert headers["cache-control"] == kept
    assert "strict-transport-security" not in headers and "server" not in headers


def test_over_tls_the_cookie_is_secure_and_http_is_over(tmp_path):
    with Served(tmp_path, tls=True) as served:
        served.administrator()
        with served.visitor() as visitor:
            answer = visitor.log_in(ADMIN)
            morsel = cookie(answer)
            assert morsel.key == "__Host-session" and morsel["secure"]
            assert "max-age" in answer.headers["strict-transport-security"]
            assert visitor.get(f"{API}/session").json()["name"] == ADMIN
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(served.url, verify=ssl.create_default_context(), trust_env=False)


def test_a_page_of_a_station_has_no_script_or_style_of_its_own(visitors):
    for path in (*PAGES, "/nowhere"):
        text = visitors["administrator"].get(path, headers={"Accept": "text/html"}).text
        assert (
            "<style" not in text and " style=" not in text and " on" not in text.split("<main")[0]
        )
        assert "http://" not in text and "https://" not in text
        assert text.count("<script") == text.count('<script type="module" src="/static/')


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{API}/nowhere", 404, "not-found"),
        (f"{API}/boxes/no-such-box", 404, "unknown-box"),
        (f"{API}/boxes/No Slug", 422, "invalid"),
        (f"{API}/audit?before=yesterday", 422, "invalid"),
    ],
)
def test_an_error_is_a_problem_document_of_one_line(visitors, path, status, code):
    answer = visitors["administrator"].get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:noisewarden:problem:{code}"
    assert "\n" not in problem["detail"]


def test_a_database_that_refuses_is_nobodys_request(station, visitors, monkeypatch):
    def refuse(box: str) -> None:
        raise DatabaseRefuses("station: the database refuses (disk I/O error); check the disk")

    monkeypatch.setattr(station.register, "get", refuse)
    answer = visitors["administrator"].get(f"{API}/boxes/bagu-east-01")
    assert (answer.status_code, answer.json()["code"]) == (503, "database")
    assert "check the disk" in answer.json()["detail"]


def test_for_a_person_an_error_is_a_page(visitors):
    answer = visitors[NOBODY].get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 404 and answer.text.startswith("<!doctype html>")


def test_a_body_that_is_too_large_is_refused(visitors):
    given = {"name": "x" * BODY_MOST_BYTES, "password": "x"}
    answer = visitors[NOBODY].post(f"{API}/session", json=given)
    assert answer.status_code == 413


def test_a_failure_of_the_station_is_told_without_its_inside(station, visitors, monkeypatch):
    def fail():
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(station.register, "all", fail)
    answer = visitors["viewer"].get(f"{API}/boxes")
    assert (answer.status_code, answer.json()["code"]) == (500, "failed")
    assert "secret" not in answer.text and "content-security-policy" in answer.headers


# The words.


def test_both_languages_have_the_same_words():
    zh, en = (languages.WORDS[language] for language in ("zh", "en"))
    assert list(zh) == list(en)
    for key in zh:
        named = [
            set(part.split("}")[0] for part in words[key].split("{")[1:]) for words in (zh, en)
        ]
        assert named[0] == named[1], key
        assert zh[key].strip() and en[key].strip(), key


def test_every_refusal_has_words():
    """A code in the sources without words would reach a Chinese page in English. All that there
    is to say of `refused` is its detail."""
    sources = Path(people.__file__).parent.rglob("*.py")
    found = {
        code
        for source in sources
        for code in re.findall(
            r"""\b(?:Refused\(|Problem\(\s*\d{3},)\s*"([a-z-]+)",""", source.read_text()
        )
    }
    assert len(found) > 30
    words = languages.WORDS["zh"]
    assert {code for code in found if f"problem.code.{code}" not in words} == {"refused"}


@pytest.mark.parametrize(
    "kind", ["store", "states", "broker", "disk", "usb", "journal", "mosquitto"]
)
def test_every_trouble_says_what_it_wants(kind):
    for words in languages.WORDS.values():
        assert words[f"trouble.{kind}"] and words[f"trouble.{kind}.text"]


def test_what_a_box_answers_has_words():
    """Those of its refusals that depend on no argument, as `Spotlight.obstacle` names them."""
    source = inspect.getsource(firmware.spotlight.Spotlight.obstacle)
    named = re.findall(r'return "(.+)"', source)
    assert len(named) == 4
    for obstacle in named:
        key = f"heard.the spotlight may not light now: {obstacle}"
        assert all(key in words for words in languages.WORDS.values()), obstacle


@pytest.mark.parametrize(
    ("accepted", "chosen", "spoken"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", None, "en"),
        ("fr;q=1, en;q=0.2, zh;q=0.7", None, "zh-CN"),
        ("fr", None, "zh-CN"),
        ("", None, "zh-CN"),
        ("en;q=0, zh;q=x", None, "zh-CN"),
        ("en", "zh", "zh-CN"),
        ("zh", "en", "en"),
        ("en", "<script>", "en"),
    ],
)
def test_a_page_speaks_the_language_that_is_wanted(station, accepted, chosen, spoken):
    headers = {"Accept-Language": accepted} | ({"Cookie": f"language={chosen}"} if chosen else {})
    with station.visitor() as visitor:
        text = visitor.get("/login", headers=headers).text
    assert f'<html lang="{spoken}"' in text


# The boxes, live.


def events(answer: httpx.Response):
    """(event, data) of a stream, as they come."""
    name = None
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def ends(lines: Iterator[str]) -> None:
    """A stream does, and as it should, not torn."""
    deadline = time.monotonic() + PATIENCE_S
    for _ in lines:
        assert time.monotonic() < deadline, "it goes on"


def test_a_reading_comes_to_who_looks_and_to_who_asks(station, visitors):
    viewer = visitors["viewer"]
    box = viewer.get(f"{API}/boxes/bagu-east-01").json()
    assert (box["place"], box["reading"], box["reason"]) == (
        "Bagu square, east",
        None,
        "no connection",
    )
    with viewer.stream("GET", f"{API}/stream") as answer:
        until(lambda: station.live._readers, lambda: "nobody listens")
        station.hear("bagu-east-01", laeq=74.6, stage=1)
        name, data = next(events(answer))
    (told,) = data["readings"]
    assert (name, told["box"], told["reading"]["shown"]) == ("readings", "bagu-east-01", "75")
    (listed,) = [box for box in viewer.get(f"{API}/boxes").json() if box["box"] == told["box"]]
    assert listed["online"] and listed["reading"]["laeq"] == 74.6


def test_a_stream_ends_with_its_session(station):
    station.account("Leaver", "viewer")
    with station.visitor("Leaver") as visitor, visitor.stream("GET", f"{API}/stream") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry")
        station.people.sessions.log_out(visitor.cookies["session"])
        ends(lines)


def test_a_stream_ends_when_nobody_can_tell_whose_it_is(station, visitors, monkeypatch):
    def refuse(*_: object) -> None:
        raise DatabaseRefuses("station: the database refuses (connection lost); start it")

    with visitors["viewer"].stream("GET", f"{API}/stream") as answer:
        lines = answer.iter_lines()
        next(lines)
        monkeypatch.setattr(station.people.sessions, "find", refuse)
        ends(lines)


def test_whoever_opens_streams_without_end_keeps_nobody_else_out(station, monkeypatch):
    monkeypatch.setattr(events_of_pages, "STREAMS_MOST_A_PERSON", 2)
    station.account("Opener", "viewer")
    station.account("Looker", "viewer")
    with station.visitor("Opener") as opener, station.visitor("Looker") as looker:

        def opened(visitor, stack):
            answer = stack.enter_context(visitor.stream("GET", f"{API}/stream"))
            if answer.status_code == 200:
                lines = answer.iter_lines()
                next(lines)
                stack.callback(lines.close)  # which would end the stream
            return answer.status_code

        with ExitStack() as stack:
            assert [opened(opener, stack) for _ in range(3)] == [200, 200, 503]
            assert opened(looker, stack) == 200

        def opens_again():
            with ExitStack() as stack:
                return opened(opener, stack) == 200

        until(opens_again, lambda: "those that were closed still count")


def test_a_session_that_only_looks_at_the_stream_is_in_use(station):
    station.account("Watcher", "viewer")
    with station.visitor("Watcher") as visitor:
        with visitor.stream("GET", f"{API}/stream") as answer:
            lines = answer.iter_lines()
            next(lines)
            station.ahead_s += IDLE_S - 60
            looked_s = time.monotonic() + 2 * CHECK_S
            while time.monotonic() < looked_s:
                next(lines)
            station.ahead_s += 120
        try:
            assert visitor.get(f"{API}/session").status_code == 200
        finally:
            station.ahead_s = 0
