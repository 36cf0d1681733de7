"""No one in: a station as a person starts it, and who should not get in by its pages and files.

tests/system/test_web.py has more of pages and sessions, without the process around them.
"""

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import brokers
import httpx
import pytest
from noisewarden.firmware import wire
from noisewarden.station.people import ROLES
from served import ADMIN, PASSWORD, Visitor
from system.boxes import PATIENCE_S, until
from system.intruders import API, Place, password, running, secret
from system.serving import NOISEWARDEN, Serving

A, B = BOXES = "bagu-east-01", "bagu-west-02"


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Iterator[Place]:
    """Started by somebody who lets everybody read what he makes."""
    with running("guarded", tmp_path_factory.mktemp("own"), BOXES, umask=0) as made:
        yield made


# The API.


OPEN = {
    ("get", "/healthz"),
    ("post", f"{API}/session"),
    ("post", f"{API}/invitation"),
    ("post", f"{API}/invitation/acceptance"),
}
"""For anybody."""


def least(method: str, path: str) -> str:
    """The role that a route takes at the least, whatever its author thought of."""
    path = path.removeprefix(API)
    if path.startswith(("/people", "/audit")) and path != "/people/names":
        return "administrator"
    if path.startswith("/register") or (path.startswith("/plans") and method != "get"):
        return "technician"
    return "viewer" if method == "get" or path.startswith("/session") else "officer"


def asked_for(operation: dict) -> str | None:
    """The role that the document names for a route."""
    roles = {
        role for way in operation.get("security", ()) for roles in way.values() for role in roles
    }
    assert len(roles) <= 1
    return next(iter(roles), None)


def status(visitor: Visitor, method: str, path: str) -> int:
    """Of a request about nothing that is there; streams are not read."""
    path = re.sub(r"\{(person|incident|plan)\}", "99999", path)
    path = re.sub(r"\{\w+\}", "0", path)
    body = {} if method == "get" else {"json": {}}
    with visitor.stream(method, path, **body) as answer:
        return answer.status_code


@pytest.fixture(scope="module")
def people(own) -> Iterator[dict[str, Visitor]]:
    """By role; "" is nobody."""
    with ExitStack() as stack:
        made = {"": stack.enter_context(Visitor(own.serving)), ROLES[-1]: own.chief}
        for role in ROLES[:-1]:
            invited = own.chief.post(f"{API}/people", json={"name": role, "role": role}).json()
            given = {"token": invited["link"].partition("#")[2], "password": PASSWORD}
            made[role] = stack.enter_context(Visitor(own.serving))
            assert made[role].post(f"{API}/invitation/acceptance", json=given).is_success
            assert made[role].log_in(role).is_success
        yield made


def test_each_route_lets_in_whom_the_document_says_and_nobody_else(own, people):
    """A new route that asks for nobody, or for too little, is told here."""
    paths = own.get("/openapi.json")["paths"]
    routes = [
        (method, path, asked_for(operation))
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]
    assert {(method, path) for method, path, role in routes if role is None} == OPEN
    wrong = []
    for method, path, role in routes:
        if role is None or (method, path) == ("delete", f"{API}/session"):
            continue
        assert ROLES.index(role) >= ROLES.index(least(method, path)), (method, path)
        for name, visitor in people.items():
            came = status(visitor, method, path)
            may = name and ROLES.index(name) >= ROLES.index(role)
            if came != (403 if name else 401) if not may else came in (401, 403) or came >= 500:
                wrong.append((name, method, path, came))
    assert wrong == []


def test_what_stands_for_one_thing_stands_for_no_other(own, people):
    """A session, a machine's token and an invitation."""
    chief = own.chief
    person = own.get("/session")["person"]
    tokens = f"{API}/people/{person}/tokens"
    machine = chief.post(tokens, json={"label": "grafana"}).json()["token"]
    invited = chief.post(f"{API}/people", json={"name": "New", "role": "viewer"}).json()
    link = invited["link"].partition("#")[2]
    session = chief.cookies["session"]
    for headers in (
        {"Cookie": f"session={machine}"},
        {"Cookie": f"session={link}"},
        {"Authorization": f"Bearer {session}"},
        {"Authorization": f"Bearer {link}"},
        {"Authorization": f"Basic {machine}"},
    ):
        with Visitor(own.serving) as thief:
            assert thief.get(f"{API}/boxes", headers=headers).status_code == 401, headers
    with Visitor(own.serving) as thief:
        for token in (session, machine):
            assert thief.post(f"{API}/invitation", json={"token": token}).status_code == 410


@pytest.mark.parametrize("options", [[], ["--lan"]], ids=["loopback", "lan"])
def test_a_browser_is_held_to_the_station(tmp_path, options):
    serving = Serving(tmp_path / "station", *options)
    serving.tls = bool(options)
    with serving, serving.administrator() as chief:
        session = f"{API}/session"
        given = {"name": ADMIN, "password": PASSWORD}

        def code(visitor: Visitor, method: str, **headers: str) -> int | str:
            answer = visitor.request(method, session, json=given, headers=headers)
            return answer.json()["code"]

        with Visitor(serving) as elsewhere:
            assert code(elsewhere, "POST", Host="evil.example") == "wrong-host"
            assert code(elsewhere, "POST", Origin="https://evil.example") == "other-site"
            assert code(elsewhere, "POST", **{"Sec-Fetch-Site": "cross-site"}) == "other-site"
        assert code(chief, "DELETE", **{"X-CSRF-Token": ""}) == "csrf"
        assert chief.get(session).is_success
        answer = chief.post(session, json=given)
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        for mark in ("; secure" in cookie, "strict-transport-security" in answer.headers):
            assert mark == serving.tls
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        if options:
            with pytest.raises(httpx.HTTPError):
                httpx.get(serving.url.replace("https", "http"), trust_env=False)


# What lies about.


def test_its_files_are_its_owners_alone(own):
    for path in (own.serving.folder, *own.serving.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("kind", brokers.KINDS)
def test_no_secret_is_in_its_log_or_in_the_list_of_processes(tmp_path, kind):
    """After all that can go wrong with one."""
    with running(kind, tmp_path, BOXES) as place:
        secrets, answers = shown(place)
    told = "\n".join([*place.serving.complaints, *place.serving.said, *answers])
    assert [each for each in secrets if each in told] == []


def shown(place: Place) -> tuple[list[str], list[str]]:
    """Secrets that were shown to a station, and what it said."""
    secrets = [PASSWORD, "wrong password", *(password(box) for box in BOXES)]
    secrets += [wire.derive(secret(A), name).hex() for name in ("command", "journal")]
    secrets += [place.chief.cookies["session"], place.chief.headers["X-CSRF-Token"]]
    if place.broker:
        secrets += [urlsplit(place.broker.station_url).password]
    with Visitor(place.serving) as visitor, place.connect() as thief:
        visitor.log_in(ADMIN, "wrong password")
        visitor.post(f"{API}/invitation", json={"token": secrets[-1][:64]})
        visitor.get(f"{API}/boxes", headers={"Authorization": f"Bearer {secrets[2]}"})
        handover = {"box": A, "command_key": secrets[-1], "password": PASSWORD}
        refused = place.chief.post(f"{API}/register", json=handover)
        assert refused.status_code == 422
        assert thief.login(A, A, password(B)) in (5, None)
    lists = [place.get(path) for path in ("/audit", "/register", "/health", "/people")]
    processes = Path(f"/proc/{place.serving.process.pid}/cmdline").read_text()
    return secrets, [refused.text, json.dumps(lists), processes]


# Who starts it.


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("--broker", "mqtts://station:hunter2@localhost"),
        ("--database", "postgresql+psycopg://station:hunter2@localhost/noisewarden"),
    ],
)
def test_a_password_in_the_list_of_processes_is_refused(tmp_path, option, url):
    command = [NOISEWARDEN, "serve", "--data", str(tmp_path / "station"), option, url]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"noisewarden: {option}: its password would")
    assert "hunter2" not in refused.stderr


def test_a_broker_that_refuses_the_station_is_told_with_its_cure(tmp_path):
    (tmp_path / "broker").mkdir()
    with brokers.running("mosquitto", {}, tmp_path / "broker") as broker:
        right = urlsplit(broker.station_url)
        wrong = broker.station_url.replace(right.password, "hunter2")
        environment = os.environ | {"NOISEWARDEN_BROKER": wrong}
        with Serving(tmp_path / "station", env=environment) as serving:
            until(lambda: serving.complaints, lambda: "nothing told")
            assert serving.complaints == [
                f"broker {right.hostname}:{right.port}: refuses the station's user and password; "
                "correct them"
            ]
            with serving.administrator() as chief:
                troubles = chief.get(f"{API}/health").json()["troubles"]
            assert troubles == {"broker": serving.complaints[0]}
