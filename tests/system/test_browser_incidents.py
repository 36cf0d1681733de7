"""Incidents, alarms, plans, the register and the station's health in a real browser."""

import io
import json
import re
import time
import zipfile

import pytest
import sqlalchemy as sql
from browser import PHONE, WIDE, barriers, chromium, log_in, overflow_px, page_of
from host.fakebox import KEY, MINUTE, Journal
from host.station_parts import SECRET, add_boot, add_minute, add_stage, arrivals
from noisewarden import schema
from noisewarden.firmware import wire
from noisewarden.register import Registration, write_handover
from noisewarden.station import incidents, settling
from noisewarden.station.plans import Spot
from PIL import Image
from playwright.sync_api import expect
from served import ADMIN, HandClock, Served
from system.boxes import until

EAST, WEST = "bagu-east-01", "renmin-north-01"
PLACES = {EAST: "Bagu square, east", WEST: "Renmin park, north gate"}
PATHS = ("/incidents", "/plan", "/register", "/health")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def station(tmp_path):
    with Served(tmp_path / "station", monotonic=HandClock()) as served:
        served.administrator()
        served.account("Oscar", "officer")
        served.account("Tess", "technician")
        for box, place in PLACES.items():
            served.add_box(box, place)
        yield served


class Telling:
    """A box whose records reach the station as it makes them."""

    def __init__(self, station, box: str = EAST) -> None:
        self.journal = Journal()
        self._station, self._box = station, box
        add_boot(self.journal, unix_s=int(time.time()) - 600, boot=1)

    def stage(self, stage: int, *, ago_s: int = 0, live: bool = True) -> None:
        at_s = 600 - ago_s
        seq = add_stage(self.journal, stage, at_s=at_s, unix_s=int(time.time()) - ago_s)
        self.tell({seq: live})

    def calibrated(self) -> None:
        self.journal.add(
            "calibration",
            uptime_ms=1000,
            unix_s=int(time.time()) - 599,
            offset_mdb=-420,
            uncertainty_mdb=900,
            date="2026-03-01",
            expires="2027-03-01",
            meter="NTi XL2",
            certificate="118",
            by="Tess",
        )

    def minutes(self, count: int, **fields) -> None:
        """The last ones, up to now."""
        now_s = int(time.time())
        for n in range(count):
            ago_s = 60 * (count - 1 - n)
            self.journal.add(
                "minute",
                uptime_ms=1000 * (600 - ago_s),
                unix_s=now_s - ago_s,
                **MINUTE | fields,
            )
        self.tell({})

    def tell(self, live: dict[int, bool]) -> None:
        self._station.store.intake(self._box, arrivals(self.journal), KEY)
        self._station.incidents.advance(self._box, min(live, default=1) - 1, live)


def opened(page, path: str, name: str) -> None:
    page.goto(path)
    log_in(page, name)


def go_live(page) -> None:
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#loading")).to_be_hidden()


# Alarms.


TONES = """
  window.tones = 0;
  window.OscillatorNode = class extends OscillatorNode {
    start(at) { window.tones += 1; super.start(at); }
  };
"""


def test_an_incident_that_comes_live_alarms_once_for_each_stage(browser, station):
    with page_of(browser, station) as page:
        page.add_init_script(TONES)
        opened(page, "/", "Oscar")
        go_live(page)
        sound = page.get_by_role("button", name="Alarm sound")
        expect(sound).to_have_attribute("aria-pressed", "false")
        box = Telling(station)
        box.stage(1)
        alarm = page.locator("#alarms li")
        expect(alarm).to_contain_text("Reminder Bagu square, east")
        expect(page).to_have_title("(1) Square · Noise Warden")
        assert page.evaluate("tones") == 0  # nobody has switched it on
        sound.click()
        expect(sound).to_have_text("Alarm sound: on")
        assert page.evaluate("tones") == 1
        box.stage(2)
        expect(alarm).to_have_count(1)
        expect(alarm).to_contain_text("Spotlight")
        assert page.evaluate("tones") == 3
        station.incidents.advance(EAST)  # nothing new
        page.reload()
        go_live(page)
        expect(page.locator(".tile", has_text=EAST)).to_contain_text("Take it")
        expect(alarm).to_have_count(0)  # what is known on arrival stands in its place


def test_an_alarm_goes_when_somebody_takes_it_or_has_seen_it(browser, station):
    with page_of(browser, station) as page:
        opened(page, "/", "Oscar")
        go_live(page)
        Telling(station).stage(3)
        other = Telling(station, WEST)
        other.stage(1)
        alarms = page.locator("#alarms li")
        expect(alarms).to_have_count(2)
        assert barriers(page) == []
        alarms.filter(has_text="Bagu").get_by_role("button", name="Take it").click()
        expect(alarms).to_have_count(1)
        expect(page.locator(".tile", has_text=EAST)).to_contain_text("Taken by Oscar")
        alarms.get_by_role("button", name="Seen").click()
        expect(alarms).to_have_count(0)
        expect(page).to_have_title("Square · Noise Warden")
        other.stage(2)
        expect(alarms).to_have_count(1)


def test_history_alarms_nobody(browser, station):
    with page_of(browser, station) as page:
        opened(page, "/", "Oscar")
        go_live(page)
        Telling(station, WEST).stage(3, ago_s=settling.LIVE_S + 60)
        Telling(station).stage(1)
        expect(page.locator("#alarms li")).to_have_count(1)
        expect(page.locator("#alarms li")).to_contain_text("Bagu")


def test_what_came_while_the_page_was_away_alarms_when_it_is_back(browser, station, monkeypatch):
    with page_of(browser, station) as page:
        opened(page, "/", "Oscar")
        go_live(page)
        box = Telling(station)
        with monkeypatch.context() as away:
            away.setattr(station.incidents, "_tell", lambda event, data: None)
            box.stage(1)
        station.soon(station.live.tell, "lost", {"events": 1})
        expect(page.locator("#alarms li")).to_contain_text("Bagu square, east")


# Incidents.


def test_open_incidents_come_first_and_one_is_taken_there(browser, station):
    Telling(station, WEST).stage(3, ago_s=settling.LIVE_S + 60)
    Telling(station).stage(2, ago_s=45)
    with page_of(browser, station) as page:
        opened(page, "/incidents", "Oscar")
        card = page.locator(".case")
        expect(card).to_have_count(1)
        expect(card).to_contain_text("Bagu square, east")
        expect(card).to_contain_text(re.compile(r"goes on, (4[5-9] sec|5\d sec|\d+ min)"))
        expect(card).to_contain_text("Nobody has it")
        card.get_by_role("button", name="Take it").click()
        expect(card).to_contain_text("Taken by Oscar")
        expect(card.get_by_role("button")).to_have_count(0)
        earlier = page.locator("[data-part=rest] tbody tr")
        expect(earlier).to_contain_text("History")
        page.get_by_label("Place").select_option(label="Bagu square, east")
        expect(page.locator("[data-part=rest]")).to_contain_text("No incidents.")
        page.get_by_label("Place").select_option(label="Renmin park, north gate")
        expect(earlier).to_have_count(1)


def test_no_open_incident_is_too_old_to_be_shown(browser, station):
    """Nobody may have closed one for weeks."""
    now_s, many = int(time.time()), incidents.PAGE + 1
    row = {"box": EAST, "opened_s": now_s, "calmed_s": now_s, "ended_s": now_s, "outcome": ""}
    rows = [row | {"opened_seq": n, "stage": 1, "live": True} for n in range(1, many + 1)]
    with station.database.transaction() as connection:
        connection.execute(sql.insert(schema.incidents), rows)
    with page_of(browser, station) as page:
        opened(page, "/incidents", "Oscar")
        cases = page.locator('[data-part="open"] .case')
        expect(cases).to_have_count(many)
        expect(cases.last.locator("a").first).to_have_attribute("href", f"/incidents/{many}")


def test_an_incident_from_its_course_to_the_police_and_its_outcome(browser, station):
    box = Telling(station)
    box.minutes(8, seconds=[784] * 50 + [wire.NO_TENTHS] * 10, laeq=78.4, stage=2, valid_s=50)
    box.stage(1, ago_s=58)
    box.stage(2, ago_s=38)
    with page_of(browser, station) as page:
        opened(page, "/incidents/1", "Oscar")
        picture = page.locator("[data-picture]")
        expect(picture.locator(".done-number")).to_have_text(["1", "2"])
        assert "the loudest minute had 78.4 dB" in picture.get_attribute("aria-label")
        expect(page.locator("[data-figures]")).to_contain_text("78.4")
        expect(page.locator("[data-chain]")).to_contain_text("all 2 records")
        expect(page.get_by_text("not who is loud")).to_be_visible()
        page.get_by_role("button", name="Take it").click()
        expect(page.locator("[data-state]")).to_have_text("Taken by Oscar")
        for kind, note, outcome in (
            ("dissuade", "spoke to the group at the fountain", "no effect"),
            ("hand_over", "to the station on Bagu road", "report 2026-114"),
        ):
            page.get_by_label("Intervention").select_option(kind)
            page.get_by_role("textbox", name="Note").fill(note)
            page.locator("#intervene").get_by_label("Outcome").fill(outcome)
            page.get_by_role("button", name="Note it").click()
            expect(page.locator("[data-course] tr").last).to_contain_text(outcome)
        expect(page.locator("[data-course] tr").last).to_contain_text("Handed over to the police")
        box.stage(0)
        page.locator("#close textarea").fill("dispersed by the patrol")
        page.locator("#close").get_by_role("button").click()
        expect(page.locator("[data-state]")).to_have_text("Closed by Oscar")
        expect(page.locator("[data-outcome]")).to_have_text("dispersed by the patrol")
        expect(page.locator("#close")).to_be_hidden()


def test_the_case_is_downloaded_and_the_page_printed_for_the_file(browser, station):
    box = Telling(station)
    box.calibrated()
    box.stage(1)
    with page_of(browser, station) as page:
        opened(page, "/incidents/1", "Oscar")
        expect(page.locator("[data-course] tr")).to_have_count(1)
        expect(page.locator("[data-serial]")).to_have_text("0000")
        expect(page.locator("[data-calibration]")).to_have_text(
            "of 2026-03-01, valid until 2027-03-01; reference NTi XL2, certificate 118, "
            "U = 0.90 dB (k = 2)"
        )
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the case").click()
        assert download.value.suggested_filename == f"incident-1-{EAST}.zip"
        with zipfile.ZipFile(download.value.path()) as archive:
            told = json.loads(archive.read("case.json"))
        assert told["made"]["by"] == "Oscar"
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("[data-printed]")).to_contain_text("printed by Oscar")
        expect(page.locator("[data-zone]")).to_contain_text("Times are those of")
        for hidden in (".bar", "#intervene", "[data-take]", "[data-print]"):
            expect(page.locator(hidden)).to_be_hidden()
        for shown in (page.get_by_text("not who is loud"), page.get_by_text("Officer, signature")):
            expect(shown).to_be_visible()
        assert page.pdf().startswith(b"%PDF")


def test_an_incident_without_a_time_says_so(browser, station):
    journal = Journal()
    add_stage(journal, 1, at_s=20, unix_s=None)
    station.store.intake(EAST, arrivals(journal))
    station.incidents.advance(EAST)
    with page_of(browser, station) as page:
        opened(page, "/incidents/1", "Oscar")
        expect(page.locator("[data-opened]")).to_have_text("time unknown")
        expect(page.get_by_text("No levels of that time are here")).to_be_visible()
        expect(page.locator("[data-chain]")).to_contain_text("not verified")


def test_a_viewer_reads_an_incident_and_changes_nothing(browser, station):
    station.account("Vera", "viewer")
    Telling(station).stage(1)
    with page_of(browser, station) as page:
        opened(page, "/incidents", "Vera")
        expect(page.locator(".case")).to_contain_text("Nobody has it")
        expect(page.locator(".case").get_by_role("button")).to_have_count(0)
        page.locator(".case a").click()
        expect(page.locator("[data-course] tr")).to_have_count(1)
        for name in ("Take it", "Note it"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        expect(page.get_by_role("link", name="Download the case")).to_have_count(0)
        expect(page.get_by_role("link", name="Plan")).to_have_count(0)


# The register.


def test_a_handover_is_taken_in_replaced_and_revoked(browser, station, tmp_path):
    def file(name: str, serial: str, secret: bytes = SECRET):
        entry = Registration.of_secret(
            secret, box="new-01", place="A new square", board="b", serial=serial
        )
        write_handover(tmp_path / name, entry)
        return tmp_path / name

    with page_of(browser, station) as page:
        opened(page, "/register", "Tess")
        page.on("dialog", lambda dialog: dialog.accept())
        form = page.locator("#import")

        def take_in(path) -> None:
            form.get_by_label("Handover file").set_input_files(path)
            form.get_by_role("button", name="Take it in").click()

        take_in(file("one.json", "a1b2"))
        expect(page.get_by_text("“new-01” is admitted.")).to_be_visible()
        row = page.locator("tbody tr", has_text="new-01")
        expect(row).to_contain_text("a1b2")
        take_in(file("two.json", "c3d4", bytes(32)))
        expect(row).to_contain_text("c3d4")
        (tmp_path / "text.json").write_text("no JSON")
        take_in(tmp_path / "text.json")
        expect(form.get_by_role("alert")).to_contain_text("no handover file")
        row.get_by_role("button", name="Revoke").click()
        expect(row).to_contain_text("Revoked since")
        expect(row.get_by_role("button", name="Revoke")).to_be_disabled()
        assert not station.register.admits("new-01", wire.derive(bytes(32), "mqtt").hex())


# Plans.


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), "#c9d8b6").save(out, "PNG")
    return out.getvalue()


def spots(station) -> dict[str, tuple[float, float]]:
    return {
        spot.box: (round(spot.x, 2), round(spot.y, 2))
        for plan in station.station.plans.all()
        for spot in plan.boxes
    }


def pinned(station, wanted: dict[str, tuple[float, float]]) -> None:
    """Waits until the station has them so."""
    until(lambda: spots(station) == wanted, lambda: f"{spots(station)}")


def test_a_plan_is_uploaded_and_boxes_are_put_on_it_by_mouse_and_keyboard(browser, station):
    with page_of(browser, station) as page:
        opened(page, "/plan", "Tess")
        expect(page.get_by_text("There is no plan yet")).to_be_visible()
        page.get_by_label("Name").fill("Bagu square")
        file = {"name": "plan.png", "mimeType": "image/png", "buffer": picture()}
        page.get_by_label("Picture").set_input_files(file)
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", name="Bagu square")).to_be_visible()

        page.get_by_role("button", name="Put on the plan: Bagu square, east").click()
        pin = page.locator(f"[data-pin={EAST}]")
        expect(pin).to_be_focused()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        expect(page.get_by_role("status")).to_have_text(
            "Bagu square, east: 51 % from the left, 45 % from the top"
        )
        pinned(station, {EAST: (0.51, 0.45)})

        ground = page.locator(".ground").bounding_box()
        pin.hover()
        page.mouse.down()
        page.mouse.move(ground["x"] + 0.2 * ground["width"], ground["y"] + 0.8 * ground["height"])
        page.mouse.up()
        expect(page.get_by_role("status")).to_contain_text("20 % from the left, 80 %")
        pinned(station, {EAST: (0.2, 0.8)})
        page.reload()
        expect(pin).to_have_attribute(
            "aria-label", "Bagu square, east: 20 % from the left, 80 % from the top"
        )
        pin.focus()
        page.keyboard.press("Delete")
        expect(page.get_by_role("button", name="Put on the plan: Bagu")).to_be_visible()
        pinned(station, {})
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove: Bagu square").click()
        expect(page.get_by_text("There is no plan yet")).to_be_visible()


def test_a_box_on_the_plan_of_the_square_shows_its_number(browser, station):
    plan = station.station.plans.add("Bagu square", picture())
    station.station.plans.place(plan.id, Spot(EAST, 0.3, 0.6))
    with page_of(browser, station) as page:
        opened(page, "/", "Oscar")
        go_live(page)
        pin = page.locator(".pin")
        expect(pin).to_have_count(1)
        expect(pin).to_contain_text("--")
        station.hear(EAST, laeq=78.6, stage=2)
        expect(pin.locator(".pin-number")).to_have_text("79")
        expect(pin).to_have_attribute("data-level", "red")
        expect(pin).to_have_accessible_name(
            "Bagu square, east: 79 dB, limit 70 dB, over the limit"
        )
        shown = page.evaluate("document.querySelector('.ground img').naturalWidth")
        assert shown == 800
        pin.click()
        expect(page).to_have_url(f"{station.url}/boxes/{EAST}")


# Health.


def test_what_the_station_suffers_from_is_told_at_once_and_on_the_square(browser, station):
    with page_of(browser, station) as page:
        opened(page, "/health", "Oscar")
        expect(page.get_by_text("All is well.")).to_be_visible()
        station.soon(station.live.trouble, "store", "disk full; make room on the disk")
        expect(page.locator("#troubles")).to_contain_text("Store Records cannot be saved now")
        expect(page.locator("#troubles")).to_contain_text("Detail: disk full; make room")
        expect(page.get_by_text("All is well.")).to_be_hidden()
        expect(page.locator("[data-part=database]")).to_contain_text("SQLite")
        assert barriers(page) == []
        page.goto("/")
        expect(page.locator("#ailing")).to_contain_text("They stay in the boxes and come again")
        station.soon(station.live.trouble, "store", "")
        expect(page.locator("#ailing")).to_be_hidden()


# For everybody.


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A station with some of everything."""
    with Served(tmp_path_factory.mktemp("full"), monotonic=HandClock()) as served:
        served.administrator()
        for box, place in PLACES.items():
            served.add_box(box, place)
        plan = served.station.plans.add("Bagu square", picture())
        for n, box in enumerate(PLACES):
            served.station.plans.place(plan.id, Spot(box, 0.2 + n / 2, 0.5))
        box = Telling(served)
        box.minutes(8, stage=2, laeq=78.4, flags=64)
        box.stage(2, ago_s=50)
        served.incidents.take(1, 1)
        served.incidents.intervene(1, 1, "dissuade", "spoke to the group " * 20, "no effect")
        other = Telling(served, WEST)
        other.stage(3, ago_s=400)
        add_minute(other.journal, at_s=500, unix_s=int(time.time()) - 100)
        yield served


@pytest.mark.parametrize(
    ("language", "scheme", "viewport"),
    [
        ("en-GB", "light", WIDE),
        ("zh-CN", "dark", WIDE),
        ("en-GB", "dark", PHONE),
        ("zh-CN", "light", PHONE),
    ],
)
def test_no_page_bars_anybody_or_is_wider_than_the_window(
    browser, full, language, scheme, viewport
):
    context = {"color_scheme": scheme, "locale": language, "viewport": viewport}
    with page_of(browser, full, **context) as page:
        opened(page, "/", ADMIN)
        expect(page.locator(".pin")).to_have_count(2)
        full.hear(EAST, laeq=78.0, stage=2)
        expect(page.locator(".pin[data-level=red]")).to_have_count(1)
        assert barriers(page) == [] and overflow_px(page) <= 0
        for path in (*PATHS, "/incidents/1", "/incidents/2"):
            page.goto(path)
            page.wait_for_timeout(500)
            assert barriers(page) == [], path
            assert overflow_px(page) <= 0, path
            text = page.locator("main").inner_text()
            assert "undefined" not in text and "{" not in text, path
