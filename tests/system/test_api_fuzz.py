"""Every route of the API under requests that fit its OpenAPI document, and that nearly do.

None may fail in the station (5xx), and every answer is one that the document promises.
"""

import io
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
from host.fakebox import BOX, KEY, START_S, journal
from host.station_parts import add_stage, arrivals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noisewarden.database import Database
from noisewarden.station.audit import Audit, By
from noisewarden.station.incidents import Incidents
from noisewarden.station.people import ADMINISTRATOR, People
from noisewarden.station.requests import ACTIONS
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
from system.boxes import PATIENCE_S
from system.serving import Serving, register

EXAMPLES = 20
"""Of each kind for each route."""
PICTURES = 60

STREAM = "/api/v1/stream"
"""It takes nothing that could be varied, and never ends."""

THERE = {"box": BOX, "person": 1, "plan": 1, "incident": 1}
PERIOD = {"from": str(START_S), "to": str(START_S + 5400)}
"""What the station has: what fits the document is mostly of nothing."""

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


def operations() -> dict[str, schemathesis.APIOperation]:
    """Those of the document by name."""
    made = document()
    made["paths"].pop(STREAM)
    shapes = made["components"]["schemas"]
    # The document does not tell which actions there are.
    shapes["NewCommand"]["properties"]["action"] = {"enum": [*ACTIONS]}
    # schemathesis 4.32.5 cannot read this of an answer.
    del shapes["OutcomeOut"]["properties"]["changes"]["items"]["prefixItems"]
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_dict(made, config=config)
    return {each.ok().label: each.ok() for each in schema.get_all_operations()}


def requests(operation: schemathesis.APIOperation) -> Iterator[tuple[str, Any]]:
    """Kinds of them: any that fit the document; those about what is there; wrong ones."""
    taken = {each.name for each in operation.iter_parameters()}
    path = {name: value for name, value in THERE.items() if name in taken}
    period = PERIOD if "from" in taken else None
    yield "fitting", operation.as_strategy()
    if path:
        yield "there", operation.as_strategy(path_parameters=path, query=period)
    if taken or operation.body:
        yield "wrong", operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


REQUESTS = [
    pytest.param(cases, id=f"{name} {kind}")
    for name, operation in operations().items()
    for kind, cases in requests(operation)
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
    with httpx.Client(base_url=station.url, trust_env=False, timeout=PATIENCE_S) as client:
        served = client.get("/api/v1/openapi.json").json()
        assert served | {"info": None} == document() | {"info": None}
        with client.stream("GET", STREAM, headers=station.headers()) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize("cases", REQUESTS)
def test_no_request_makes_it_fail(station, cases):
    @BOUNDED
    @given(cases)
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(
            base_url=station.url, headers=station.headers(), checks=PROMISED, timeout=PATIENCE_S
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
        headers = station.headers() | {"Content-Type": f"image/{kind.lower()}"}
        answer = client.post("/api/v1/plans?name=x", content=data, headers=headers)
        assert answer.status_code in (201, 422), answer.text

    with httpx.Client(base_url=station.url, trust_env=False, timeout=PATIENCE_S) as client:
        upload()
