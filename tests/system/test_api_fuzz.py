"""Every route of the API under requests that fit its OpenAPI document, and that nearly do.

None may fail in the station (5xx), and every answer is one that the document promises.
"""

import io
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
from host.fakebox import BOX, KEY, journal
from host.station_parts import add_stage, arrivals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noisewarden.database import Database
from noisewarden.station.audit import Audit, By
from noisewarden.station.incidents import Incidents
from noisewarden.station.people import ADMINISTRATOR, People
from noisewarden.station.web.app import create_app
from noisewarden.store import Store
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from system.serving import Serving, register

EXAMPLES = 30
"""Of each kind for each route."""
PICTURES = 200

STREAM = "/api/v1/stream"
"""It takes nothing that could be varied, and never ends."""

THERE = {"box": BOX, "person": 1, "plan": 1, "incident": 1}
"""What the station has. Most identifiers that fit the document are of nothing."""

PROMISED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def document() -> dict[str, Any]:
    return create_app(SimpleNamespace(version="any")).openapi()  # type: ignore[arg-type]


def operations() -> dict[str, Any]:
    """Those of the document by name; a path may name what is there."""
    made = document()
    made["paths"].pop(STREAM)
    for operation in (each for path in made["paths"].values() for each in path.values()):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] in THERE:
                there = {"const": THERE[parameter["name"]]}
                parameter["schema"] = {"anyOf": [there, parameter["schema"]]}
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_dict(made, config=config)
    return {each.ok().label: each.ok() for each in schema.get_all_operations()}


def takes_something(operation: schemathesis.APIOperation) -> bool:
    """Else no request of it can be wrong."""
    return bool(next(operation.iter_parameters(), None) or operation.body)


OPERATIONS = operations()
KINDS = [
    (name, mode)
    for name, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or takes_something(operation)
]


class Fuzzed:
    """A station that has something to tell, and an administrator who is never out for long."""

    def __init__(self, serving: Serving, database: Database) -> None:
        self.url = serving.url
        self.database = database
        self._people = People(database, Audit(database))
        self._token = ""
        self._count = 0

    def headers(self) -> dict[str, str]:
        """Of a session. A request may have shut the account before it."""
        sessions = self._people.sessions
        found = sessions.find(self._token, "session")
        if not found or found.role != ADMINISTRATOR:
            self._count += 1
            person, _ = self._people.invite(By(), f"Fuzz {self._count}", ADMINISTRATOR)
            with self.database.transaction() as connection:
                self._token = sessions.begin(connection, person.id)
            found = sessions.find(self._token, "session")
            assert found
        return {"Cookie": f"session={self._token}", "X-CSRF-Token": found.csrf}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzzed") / "station"
    register(folder, BOX, bytes(range(32)))
    with Serving(folder) as serving, Database.in_folder(folder) as database:
        fill(database)
        serving.administrator().close()
        yield Fuzzed(serving, database)
        assert serving.process.poll() is None


def fill(database: Database) -> None:
    """Ninety minutes, and an incident that is over."""
    made = journal(90)
    opened = add_stage(made, 1, at_s=5500, unix_s=int(time.time()) - 60)
    add_stage(made, 0, at_s=5520, unix_s=int(time.time()) - 40)
    Store(database).intake(BOX, arrivals(made), KEY)
    incidents = Incidents(database, lambda *_: None, lambda box: True)
    incidents.advance(BOX, 0, {opened: True})
    assert incidents.get(1)


def test_the_document_is_the_one_that_is_served(station):
    served = httpx.get(f"{station.url}/api/v1/openapi.json").json()
    assert served | {"info": None} == document() | {"info": None}
    with httpx.stream("GET", station.url + STREAM, headers=station.headers()) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize(("name", "mode"), KINDS, ids=lambda value: str(value))
def test_no_request_makes_it_fail(station, name, mode):
    cases = OPERATIONS[name].as_strategy(generation_mode=mode)

    @BOUNDED
    @given(cases)
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(
            base_url=station.url, headers=station.headers(), checks=PROMISED, timeout=30
        )

    ask()


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((40, 30), 60).convert("RGB").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_picture_is_no_plan(station, kind):
    good = picture(kind)

    @settings(BOUNDED, max_examples=PICTURES)
    @given(st.integers(0, len(good) - 1), st.binary(max_size=8), st.integers(0, 8))
    def upload(at: int, spoilt: bytes, lost: int) -> None:
        data = good[:at] + spoilt + good[at + lost :]
        answer = httpx.post(
            f"{station.url}/api/v1/plans?name=x",
            content=data,
            headers=station.headers() | {"Content-Type": f"image/{kind.lower()}"},
        )
        assert answer.status_code in (201, 422), answer.text

    upload()
