"""Incidents as a file, the register, plans and the station's health, over real HTTP."""

import csv
import hashlib
import io
import json
import socket
import time
import zipfile
from base64 import b64decode

import pytest
from host.fakebox import BOX, KEY, MINUTE, Journal
from host.station_parts import SECRET, add_boot, add_stage, arrivals
from noisewarden.database import DatabaseRefuses
from noisewarden.firmware import evidence, wire
from noisewarden.register import Register, Registration, write_handover
from noisewarden.station import cases
from noisewarden.station.audit import Audit
from noisewarden.station.health import Health
from noisewarden.station.incidents import Incidents
from noisewarden.station.live import Live
from noisewarden.station.people import People
from noisewarden.station.plans import (
    PICTURE_MOST_BYTES,
    PLANS_MOST,
    SIDE_MOST_PX,
    Plan,
    Plans,
    Spot,
)
from noisewarden.store import Store
from PIL import Image, PngImagePlugin
from served import Served
from system.boxes import PATIENCE_S

pytest_plugins = ["postgres"]

API = "/api/v1"
PLACE = "Bagu square, east"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("station")) as served:
        served.administrator()
        served.account("Vera", "viewer")
        served.account("Oscar", "officer")
        served.account("Tess", "technician")
        served.add_box(BOX, PLACE)
        yield served


@pytest.fixture
def officer(station):
    with station.visitor("Oscar") as visitor:
        yield visitor


@pytest.fixture
def technician(station):
    with station.visitor("Tess") as visitor:
        yield visitor


# A case.


def evening(now_s: int) -> Journal:
    """Twenty minutes, of which five are loud; they ended ten minutes ago."""
    made = Journal()
    start_s = now_s - 1500
    add_boot(made, unix_s=start_s, boot=1)
    for minute in range(1, 21):
        loud = 6 <= minute <= 10
        if minute == 6:
            for stage, after_s in ((1, 5), (2, 25), (3, 55)):
                at_s = 300 + after_s
                add_stage(made, stage, at_s=at_s, unix_s=start_s + at_s)
        if minute == 11:
            add_stage(made, 0, at_s=610, unix_s=start_s + 610)
        levels = [784 if loud else 612] * 59 + [wire.NO_TENTHS]
        made.add(
            "minute",
            uptime_ms=60_000 * minute,
            unix_s=start_s + 60 * minute,
            **MINUTE | {"seconds": levels, "stage": 3 if loud else 0},
        )
    return made


@pytest.fixture(scope="module")
def journal(station):
    made = evening(int(time.time()))
    station.store.intake(BOX, arrivals(made), KEY)
    station.incidents.advance(BOX)
    return made


def opened(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}


@pytest.fixture
def taken(station, officer, journal):
    """The case of the evening: its files, and what the API said."""
    (incident,) = officer.get(f"{API}/incidents").json()
    note = {"kind": "note", "note": "八一广场的舞蹈队"}
    officer.post(f"{API}/incidents/{incident['id']}/interventions", json=note)
    answer = officer.get(f"{API}/incidents/{incident['id']}/case")
    assert answer.headers["content-type"] == "application/zip"
    assert (
        f'filename="incident-{incident["id"]}-{BOX}.zip"'
        in (answer.headers["content-disposition"])
    )
    return opened(answer.content), incident, answer.content


def test_a_case_has_what_was_measured_around_the_incident(taken):
    files, incident, _ = taken
    rows = list(csv.DictReader(io.StringIO(files["seconds.csv"])))
    levels = [float(row["laeq"]) for row in rows if row["laeq"]]
    loud = [level for level in levels if level > 70]
    assert len(loud) == 5 * 59 and set(loud) == {78.4}
    assert rows[0]["time_utc"] <= cases.iso(incident["opened_s"] - 240)
    assert "" in {row["laeq"] for row in rows}
    assert rows[0]["time_local"].endswith("+08:00")
    minutes = list(csv.DictReader(io.StringIO(files["minutes.csv"])))
    assert len(minutes) == len([row for row in rows if not row["laeq"]]) >= 15


def test_a_case_says_who_did_what_and_what_a_box_cannot_know(taken):
    files, _, _ = taken
    told = json.loads(files["case.json"])
    assert told["made"]["by"] == "Oscar"
    assert told["box"]["place"] == PLACE
    assert told["period"]["whole"] is True and "goes on after" not in files["README.txt"]
    done = [(each["kind"], each["person"]) for each in told["interventions"]]
    assert done[:3] == [("reminder", None), ("spotlight", None), ("referral", None)]
    assert done[-1] == ("note", "Oscar")
    assert told["interventions"][-1]["note"] == "八一广场的舞蹈队"
    assert any("not who is loud" in note for note in told["notes"])
    assert "not who is loud" in files["README.txt"]


def test_the_records_of_a_case_can_be_checked_without_the_station(taken, journal):
    files, _, _ = taken
    told = json.loads(files["case.json"])
    given = [
        (each["seq"], *(b64decode(each[name]) for name in ("data", "mac", "previous")))
        for each in told["records"]
    ]
    assert given == [tuple(entry) for entry in journal if given[0][0] <= entry[0] <= given[-1][0]]
    assert list(evidence.breaks(KEY, given)) == []
    chain = told["chain"]
    assert chain["verified"] == len(given) and chain["broken"] == chain["unverified"] == 0
    assert chain["missing"] == chain["unlinked"] == chain["conflicts"] == []


def test_a_case_is_known_again_by_its_sums(station, taken):
    files, incident, content = taken
    for line in files["sha256.txt"].splitlines():
        digest, name = line.split("  ")
        raw = zipfile.ZipFile(io.BytesIO(content)).read(name)
        assert hashlib.sha256(raw).hexdigest() == digest
    assert len(files["sha256.txt"].splitlines()) == len(files) - 1
    entry = station.audit.entries()[0]
    assert (entry.person, entry.action, entry.about) == (
        "Oscar",
        "download case",
        str(incident["id"]),
    )
    assert entry.detail == hashlib.sha256(content).hexdigest()


def test_a_case_shows_what_is_missing_broken_or_told_twice(station, officer):
    box = "jiefang-east-01"
    station.add_box(box, "Jiefang square, east")
    now_s = int(time.time())
    made = Journal()
    for n, stage in enumerate((1, 2, 3, 0, 1)):
        add_stage(made, stage, at_s=10 + 20 * n, unix_s=now_s - 200 + 20 * n)
    forged = list(made[1])
    forged[1] = bytes([*forged[1][:-1], forged[1][-1] ^ 1])
    told = [made[0], tuple(forged), made[2], made[4]]
    station.store.intake(box, [(entry, entry[0] - 1) for entry in told], KEY)
    other = Journal(first=3, mac=made[1][2])
    add_stage(other, 2, at_s=50, unix_s=now_s - 100)
    station.store.intake(box, [(other[0], 2)], KEY)
    station.incidents.advance(box)
    (incident,) = officer.get(f"{API}/incidents", params={"box": box}).json()
    files = opened(officer.get(f"{API}/incidents/{incident['id']}/case").content)
    chain = json.loads(files["case.json"])["chain"]
    assert chain["missing"] == [{"first": 4, "last": 4, "gone": False}]
    assert chain["broken"] >= 1 and chain["conflicts"] == [3]


def test_a_case_has_the_calibration_that_held_when_it_was_loud(station, officer):
    box = "calibrated-01"
    station.add_box(box, "a pole")
    now_s = int(time.time())
    made = Journal()
    for certificate, at_s in (("before", 0), ("after", 400)):
        made.add(
            "calibration",
            uptime_ms=1000 * at_s,
            unix_s=now_s - 600 + at_s,
            offset_mdb=-420,
            uncertainty_mdb=900,
            date="2026-06-01",
            expires="2027-06-01",
            meter="NTi XL2",
            certificate=certificate,
            by="Tess",
        )
        if certificate == "before":
            add_stage(made, 1, at_s=60, unix_s=now_s - 540)
            add_stage(made, 0, at_s=90, unix_s=now_s - 510)
    station.store.intake(box, arrivals(made), KEY)
    station.incidents.advance(box)
    (incident,) = officer.get(f"{API}/incidents", params={"box": box}).json()
    files = opened(officer.get(f"{API}/incidents/{incident['id']}/case").content)
    told = json.loads(files["case.json"])
    assert told["calibration"]["certificate"] == "before"
    assert told["chain"]["last"] == made[-1][0]


def test_an_incident_whose_time_nobody_knows_has_a_case_all_the_same(station, officer):
    box = "timeless-01"
    station.add_box(box, "a pole")
    made = Journal()
    add_boot(made, unix_s=None, boot=1)
    add_stage(made, 1, at_s=20, unix_s=None)
    station.store.intake(box, arrivals(made), KEY)
    station.incidents.advance(box)
    (incident,) = officer.get(f"{API}/incidents", params={"box": box}).json()
    files = opened(officer.get(f"{API}/incidents/{incident['id']}/case").content)
    told = json.loads(files["case.json"])
    assert told["period"] is None and told["incident"]["opened"] is None
    assert [record["seq"] for record in told["records"]] == [2]


def test_a_case_that_ends_before_its_incident_says_so(station, officer):
    box, day_s = "endless-01", 86_400
    station.add_box(box, "a pole")
    start_s = int(time.time()) - 4 * day_s
    made = Journal()
    add_boot(made, unix_s=start_s, boot=1)
    for stage, after_s in ((1, 600), (0, 600 + cases.MOST_S)):
        add_stage(made, stage, at_s=after_s, unix_s=start_s + after_s)
    station.store.intake(box, arrivals(made), KEY)
    station.incidents.advance(box)
    (incident,) = officer.get(f"{API}/incidents", params={"box": box}).json()
    files = opened(officer.get(f"{API}/incidents/{incident['id']}/case").content)
    period = json.loads(files["case.json"])["period"]
    assert period["whole"] is False
    assert period["to"] == cases.iso(start_s + 600 - cases.BEFORE_S + cases.MOST_S)
    assert "goes on after the end of this case" in files["README.txt"]


def test_a_viewer_takes_no_case_away(station, journal):
    with station.visitor("Vera") as viewer:
        (incident, *_) = viewer.get(f"{API}/incidents").json()
        assert viewer.get(f"{API}/incidents/{incident['id']}/case").status_code == 403


@pytest.mark.parametrize("text", ["\x00", "x" * 2001])
def test_a_note_that_no_database_takes_is_refused(officer, journal, text):
    note = {"kind": "note", "note": text}
    refused = officer.post(f"{API}/incidents/1/interventions", json=note)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


# The register.


def handover(tmp_path, box: str, secret: bytes = SECRET, serial: str = "a1b2") -> dict:
    """The file that `provision` writes, as it is."""
    entry = Registration.of_secret(secret, box=box, place=PLACE, board="b", serial=serial)
    path = tmp_path / f"{box}-{serial}.json"
    write_handover(path, entry)
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_handover_lets_a_box_in_and_a_revocation_puts_it_out(station, technician, tmp_path):
    given = handover(tmp_path, "new-01")
    added = technician.post(f"{API}/register", json=given)
    assert added.status_code == 201
    assert {"box": "new-01", "serial": "a1b2", "revoked_s": None}.items() <= added.json().items()
    assert not any("key" in name or "password" in name for name in added.json())
    password = wire.derive(SECRET, "mqtt").hex()
    assert station.register.admits("new-01", password)
    assert technician.delete(f"{API}/register/new-01").status_code == 204
    assert not station.register.admits("new-01", password)
    done = [(entry.action, entry.about, entry.detail) for entry in station.audit.entries()[:2]]
    assert done == [("revoke box", "new-01", ""), ("admit box", "new-01", "a1b2")]


def test_an_id_that_is_there_is_replaced_only_when_that_is_said(station, technician, tmp_path):
    technician.post(f"{API}/register", json=handover(tmp_path, "twice-01"))
    other = handover(tmp_path, "twice-01", bytes(32), serial="c3d4")
    refused = technician.post(f"{API}/register", json=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "box-known")
    assert "a1b2" in refused.json()["detail"]
    answer = technician.post(f"{API}/register", json=other, params={"replace": True})
    assert (answer.status_code, answer.json()["serial"]) == (201, "c3d4")
    now = station.register.get("twice-01")
    assert now.journal_key == wire.derive(bytes(32), "journal")
    assert now.former_journal_keys == (wire.derive(SECRET, "journal"),)


@pytest.mark.parametrize(
    "change",
    [
        {"box": "No Slug"},
        {"place": "x" * 61},
        {"place": "\x00"},
        {"command_key": "ff"},
        {"journal_key": None},
        {"secret": "00" * 32},
    ],
)
def test_what_is_no_handover_is_refused_and_not_repeated(technician, tmp_path, change):
    given = handover(tmp_path, "bad-01") | change
    refused = technician.post(f"{API}/register", json=given)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert given["password_sha256"] not in refused.text


def test_what_is_not_in_the_register_cannot_be_revoked(technician):
    assert technician.delete(f"{API}/register/no-such-box").status_code == 404


# Plans.


def drawn(kind: str = "PNG", size=(640, 480), mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "white" if mode != "P" else 0).save(out, kind, **options)
    return out.getvalue()


def upload(visitor, content: bytes, name: str = "Bagu square"):
    headers = {"Content-Type": "image/png"}
    return visitor.post(f"{API}/plans", params={"name": name}, content=content, headers=headers)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("WEBP", "RGB"),
    ],
)
def test_a_picture_becomes_a_plan(technician, kind, mode):
    plan = upload(technician, drawn(kind, mode=mode)).json()
    picture = technician.get(f"{API}/plans/{plan['id']}/picture")
    assert picture.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(picture.content)) as found:
        assert (found.format, found.size) == ("WEBP", (640, 480))
    assert technician.delete(f"{API}/plans/{plan['id']}").status_code == 204


def test_of_a_picture_only_its_pixels_are_kept(technician):
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "taken from my bedroom window")
    exif = Image.Exif()
    exif[0x0110] = "a very private camera"
    exif[0x0112] = 6  # it lies on its side
    plan = upload(technician, drawn(size=(640, 480), pnginfo=told, exif=exif)).json()
    content = technician.get(f"{API}/plans/{plan['id']}/picture").content
    assert b"private" not in content and b"bedroom" not in content
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == (480, 640) and not found.getexif()
    technician.delete(f"{API}/plans/{plan['id']}")


def test_a_large_picture_is_made_smaller(technician):
    plan = upload(technician, drawn("JPEG", size=(6000, 3000))).json()
    content = technician.get(f"{API}/plans/{plan['id']}/picture").content
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == (SIDE_MOST_PX, SIDE_MOST_PX // 2)
    technician.delete(f"{API}/plans/{plan['id']}")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "picture"),
        (b"%PDF-1.7", "picture"),
        (drawn("GIF", mode="P"), "picture"),
        (drawn()[:-60], "picture"),
        (drawn(size=(20_000, 20_000), mode="1"), "picture-size"),
        (drawn(size=(8_000, 7_000), mode="1"), "picture-size"),
    ],
    ids=["nothing", "svg", "pdf", "gif", "cut", "bomb", "large"],
)
def test_what_is_no_picture_is_no_plan(technician, content, code):
    refused = upload(technician, content)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert technician.get(f"{API}/plans").json() == []


def test_of_who_may_not_add_it_no_picture_is_read(station):
    """Nor kept in memory: it could be sent by anybody, many times at once."""
    head = (
        "POST /api/v1/plans?name=x HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: image/png\r\nContent-Length: {PICTURE_MOST_BYTES}\r\n\r\n"
    )
    address = ("127.0.0.1", station._server.port)
    with socket.create_connection(address, PATIENCE_S) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).split()[1] == b"401"


def test_a_file_that_is_too_large_is_not_read(technician):
    assert upload(technician, bytes(PICTURE_MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("name", ["", "x" * 61, "two\nlines"])
def test_a_plan_has_a_name(technician, name):
    assert upload(technician, drawn(), name).status_code == 422


def test_a_box_stands_on_one_plan(station, technician):
    one, two = (upload(technician, drawn(), name).json()["id"] for name in ("one", "two"))
    path = f"{API}/plans/{{}}/boxes/{BOX}"

    def standing() -> dict:
        with station.visitor("Vera") as viewer:
            return {plan["name"]: plan["boxes"] for plan in viewer.get(f"{API}/plans").json()}

    assert technician.put(path.format(one), json={"x": 0.25, "y": 0.5}).status_code == 204
    entry = station.audit.entries()[0]
    assert (entry.person, entry.action, entry.about, entry.detail) == (
        "Tess", "place box", BOX, f"{one}: 0.25, 0.50",
    )  # fmt: skip
    assert standing() == {"one": [{"box": BOX, "x": 0.25, "y": 0.5}], "two": []}
    assert technician.put(path.format(two), json={"x": 1, "y": 0}).status_code == 204
    assert standing() == {"one": [], "two": [{"box": BOX, "x": 1.0, "y": 0.0}]}
    assert technician.delete(path.format(one)).status_code == 204
    assert standing()["two"]
    assert technician.delete(path.format(two)).status_code == 204
    assert standing()["two"] == []
    taken_off = [entry for entry in station.audit.entries() if entry.action == "take off box"]
    assert [(entry.about, entry.detail) for entry in taken_off] == [(BOX, str(two))]
    assert technician.put(path.format(two), json={"x": 1, "y": 0}).status_code == 204
    assert technician.delete(f"{API}/plans/{two}").status_code == 204
    assert standing() == {"one": []}
    technician.delete(f"{API}/plans/{one}")


@pytest.mark.parametrize(
    ("plan", "box", "place", "status"),
    [
        (99, BOX, {"x": 0.5, "y": 0.5}, 404),
        (1, "no-such-box", {"x": 0.5, "y": 0.5}, 404),
        (1, BOX, {"x": 1.5, "y": 0.5}, 422),
        (1, BOX, {"x": 0.5}, 422),
    ],
)
def test_a_place_is_on_the_picture_of_a_plan_that_is_there(technician, plan, box, place, status):
    answer = technician.put(f"{API}/plans/{plan}/boxes/{box}", json=place)
    assert answer.status_code == status


def test_plans_have_an_end(technician):
    statuses = [
        upload(technician, drawn(size=(8, 8)), str(n)).status_code for n in range(PLANS_MOST + 1)
    ]
    assert statuses == [201] * PLANS_MOST + [422]
    for plan in technician.get(f"{API}/plans").json():
        technician.delete(f"{API}/plans/{plan['id']}")


# Health.


def test_the_station_says_how_it_is(station):
    station.soon(station.live.trouble, "store", "disk full; make room on the disk")
    station.hear(BOX)
    with station.visitor("Vera") as viewer:
        told = viewer.get(f"{API}/health").json()
    assert told["troubles"] == {"store": "disk full; make room on the disk"}
    assert told["boxes"]["online"] == 1 <= told["boxes"]["admitted"]
    assert told["database"]["kind"] == "sqlite" and told["database"]["bytes"] > 10_000
    assert 0 < told["disk"]["free_bytes"] < told["disk"]["all_bytes"]
    assert set(told["versions"]) == {"noisewarden", "python"}
    assert abs(told["started_s"] - time.time()) < 600
    station.soon(station.live.trouble, "store", "")


# Who did it.


def test_no_change_stands_without_who_made_it(station, officer, technician, journal, monkeypatch):
    """The disk may be full in between, or the power go."""
    incident = officer.get(f"{API}/incidents").json()[-1]
    plan = technician.post(f"{API}/plans?name=Nobody", content=drawn()).json()["id"]
    steps = f"{API}/incidents/{incident['id']}"
    spot = f"{API}/plans/{plan}/boxes/{BOX}"
    key = "00" * 32
    keys = dict.fromkeys(("password_sha256", "command_key", "journal_key"), key)
    given = {"box": "nobody", "place": "", "board": "b", "serial": "00", **keys}

    def stands():
        return (
            officer.get(steps).json(),
            technician.get(f"{API}/plans").json(),
            technician.get(f"{API}/register").json(),
            officer.get(f"{API}/boxes/{BOX}/commands").json(),
        )

    def refuse(*_):
        raise DatabaseRefuses("station.sqlite: the database refuses (disk is full); make room")

    before = stands()
    monkeypatch.setattr(station.audit, "note", refuse)
    for answer in (
        officer.patch(steps, json={"outcome": "they left"}),
        officer.post(f"{steps}/interventions", json={"kind": "note", "note": "seen"}),
        officer.post(f"{API}/boxes/{BOX}/commands", json={"action": "spotlight_off"}),
        technician.post(f"{API}/plans?name=Another", content=drawn()),
        technician.put(spot, json={"x": 0.5, "y": 0.5}),
        technician.delete(f"{API}/plans/{plan}"),
        technician.post(f"{API}/register", json=given),
        technician.delete(f"{API}/register/{BOX}"),
    ):
        assert answer.status_code == 503
    assert stands() == before


# Whatever the database.


def test_plans_cases_and_size_are_the_same_on_every_database(database, tmp_path):
    plans = Plans(database)
    plan = plans.add("八一广场", drawn())
    plans.place(plan.id, Spot(BOX, 0.25, 0.5))
    plans.place(plan.id, Spot(BOX, 0.5, 0.5))
    assert plans.all() == [Plan(plan.id, "八一广场", [Spot(BOX, 0.5, 0.5)])]
    assert plans.picture(plan.id)[1].startswith(b"RIFF")
    plans.remove(plan.id)
    assert plans.all() == []
    Store(database).intake(BOX, arrivals(evening(int(time.time()))), KEY)
    incidents, people = Incidents(database), People(database, Audit(database))
    incidents.advance(BOX)
    made = cases.Cases(database, incidents, Register(database), people)
    case = made.make(incidents.list()[0]["id"], 1, ["a note"])
    assert json.loads(opened(case.content)["case.json"])["chain"]["verified"] > 15
    assert Health(database, Live(database), tmp_path).database().bytes > 100_000
