"""The station's pages in a real browser."""

import math
import time
from urllib.parse import quote

import pytest
from browser import PATIENCE_MS, PHONE, barriers, chromium, log_in, overflow_px, page_of
from host.fakebox import Journal
from host.station_parts import Line, add_minute, add_stage, arrivals
from noisewarden.station.live import SILENT_AFTER_S
from noisewarden.station.web import events
from playwright.sync_api import expect
from served import ADMIN, PASSWORD, HandClock, Served

PATHS = ("/incidents", "/register", "/people", "/audit", "/account", "/welcome")
EAST, WEST = "bagu-east-01", "renmin-north-01"
PATHS_OF_ONE = (
    f"/boxes/{EAST}",
    f"/boxes/{EAST}/configuration",
    f"/boxes/{EAST}/journal",
    "/incidents/1",
)
OPEN_PATHS = ("/login", "/welcome")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def clock():
    """By which the station hears boxes."""
    return HandClock()


@pytest.fixture(scope="module")
def station(tmp_path_factory, clock):
    with Served(tmp_path_factory.mktemp("station"), monotonic=clock) as served:
        served.administrator()
        served.account("Oscar", "officer")
        served.add_box(EAST, "Bagu square, east")
        served.add_box(WEST, "Renmin park, north gate")
        yield served


def tile(page, box):
    return page.locator(".tile", has_text=box)


def group(page, need):
    return page.locator(f"[data-group={need}]")


def test_from_the_set_up_link_to_the_first_log_in(browser, tmp_path):
    with Served(tmp_path) as served:
        link = served.people.setup_link()
        with page_of(browser, served) as page:
            page.goto(link)
            expect(page.get_by_text("You are the first administrator")).to_be_visible()
            assert "#" not in page.url  # not for whoever looks at the screen, or back
            page.get_by_label("Name").fill("Chief")
            page.get_by_label("New password").fill(PASSWORD)
            page.get_by_label("Once more").fill(PASSWORD + "?")
            page.get_by_role("button", name="Open account").click()
            expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
            page.get_by_label("Once more").fill(PASSWORD)
            page.get_by_role("button", name="Open account").click()
            expect(page.get_by_text("Your account is open")).to_be_visible()
            log_in(page, "Chief")
            expect(page.get_by_text("No box is registered yet")).to_be_visible()
        with browser.new_context(base_url=served.url, locale="en-GB") as context:
            page = context.new_page()  # a link that was used is refused, which Chromium logs
            page.set_default_timeout(PATIENCE_MS)
            page.goto(link)
            expect(page.get_by_role("alert")).to_contain_text("used already")


@pytest.mark.parametrize("to", ["/.//evil.example/", "//evil.example/", "https://evil.example/"])
def test_after_the_log_in_no_link_leads_elsewhere(browser, station, to):
    with page_of(browser, station) as page:
        page.goto(f"/login?to={quote(to)}")
        log_in(page, "Oscar")
        expect(page).to_have_url(f"{station.url}/")


def test_a_number_turns_red_and_its_box_comes_to_those_that_need_an_officer(browser, station):
    with page_of(browser, station) as page:
        page.goto("/")
        log_in(page, "Oscar")
        expect(page.locator("#link")).to_have_text("Live")
        expect(group(page, "look").locator(".tile")).to_have_count(2)  # never heard
        expect(tile(page, EAST)).to_contain_text("No level: no connection · Never heard")

        station.hear(EAST, laeq=64.4)
        matrix = tile(page, EAST).locator(".matrix")
        expect(matrix).to_have_attribute("aria-label", "64 dB, limit 70 dB, within the limit")
        expect(matrix.locator(".led.green")).to_have_count(2)
        expect(group(page, "calm").locator(".tile")).to_have_count(1)
        expect(page.get_by_text("No place needs an officer now.")).to_be_visible()

        station.hear(EAST, laeq=78.6, stage=3)
        expect(matrix).to_have_attribute("aria-label", "79 dB, limit 70 dB, over the limit")
        expect(matrix.locator(".led.red")).to_have_count(2)
        expect(group(page, "act").locator(".tile")).to_contain_text("Referral")
        expect(tile(page, EAST)).to_contain_text("Spotlight lit")
        expect(page.get_by_role("status").last).to_have_text("Bagu square, east: Referral")
        expect(page.locator(".tile").first).to_contain_text(EAST)


@pytest.mark.parametrize(
    ("reading", "label", "need"),
    [
        ({"laeq": None, "flags": ["dead"]}, "No level: microphone silent", "look"),
        ({"laeq": None, "flags": ["slot"]}, "No level: microphone wired wrong", "look"),
        (
            {"laeq": 104.0, "shown": "HI", "colour": "red", "flags": ["overload"]},
            "Overload, over the limit of 70 dB",
            "calm",
        ),
        ({"laeq": 62.0, "shown": "quiet please"}, "quiet please", "calm"),
        ({"laeq": 62.0, "shown": ""}, "Bar only, within the limit", "calm"),
        ({"laeq": 62.0, "shown": "", "colour": "off"}, "Display off", "calm"),
        (
            {"laeq": 62.0, "flags": ["uncalibrated"]},
            "62 dB, limit 70 dB, within the limit",
            "look",
        ),
    ],
)
def test_a_tile_shows_what_the_public_sees(browser, station, reading, label, need):
    with page_of(browser, station) as page:
        page.goto("/")
        log_in(page, "Oscar")
        expect(page.locator("#link")).to_have_text("Live")
        expect(page.locator(".tile")).to_have_count(2)
        station.hear(WEST, **reading)
        shown = group(page, need).locator(".tile", has_text=WEST)
        expect(shown.locator(".matrix")).to_have_attribute("aria-label", label)
        if reading["laeq"] is None:
            expect(shown.locator(".stage")).to_be_hidden()
            expect(shown).to_contain_text(label)


def test_a_box_that_falls_silent_shows_no_level(browser, station, clock):
    with page_of(browser, station) as page:
        page.goto("/")
        log_in(page, "Oscar")
        expect(page.locator("#link")).to_have_text("Live")
        station.hear(EAST, laeq=66.0)
        matrix = tile(page, EAST).locator(".matrix")
        expect(matrix).to_have_attribute("aria-label", "66 dB, limit 70 dB, within the limit")
        clock.now_s += SILENT_AFTER_S + 1
        expect(matrix).to_have_attribute("aria-label", "No level: no connection")


def test_a_stream_that_says_nothing_more_is_opened_anew(browser, station, monkeypatch):
    """As when a network is pulled out: no connection ends, and an alarm would never come."""
    with page_of(browser, station) as page:
        page.goto("/account")
        log_in(page, "Oscar")
        page.clock.install()
        with page.expect_request("**/api/v1/stream"):
            page.goto("/")
        expect(page.locator("#link")).to_have_text("Live")
        monkeypatch.setattr(events, "CHECK_S", math.inf)
        with page.expect_request("**/api/v1/stream"):
            page.clock.fast_forward(20_000)
        expect(page.locator("#link")).to_have_text("Live")


SEEN = """(seen) => {
  Object.defineProperty(document, "hidden", { value: !seen, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_tabs_that_nobody_sees_leave_the_others_their_connections(browser, station):
    """A browser has six to a station: with as many streams open the seventh tab hung."""
    with page_of(browser, station) as page:
        page.goto("/account")
        log_in(page, "Oscar")
        for _ in range(7):
            tab = page.context.new_page()
            tab.goto(f"/boxes/{EAST}")
            expect(tab.locator("#link")).to_have_text("Live")
            tab.evaluate(SEEN, False)
        with tab.expect_request("**/api/v1/stream"):
            tab.evaluate(SEEN, True)


def test_without_the_station_no_level_stays_on_the_page(browser, tmp_path):
    with browser.new_context(locale="en-GB") as context:
        with Served(tmp_path) as served:
            served.administrator()
            served.add_box(EAST, "Bagu square, east")
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(served.url)
            log_in(page, ADMIN)
            expect(page.locator("#link")).to_have_text("Live")
            served.hear(EAST, laeq=66.0)
            matrix = tile(page, EAST).locator(".matrix")
            expect(matrix).to_have_attribute("aria-label", "66 dB, limit 70 dB, within the limit")
        expect(page.locator("#link")).to_contain_text("No contact with the station")
        expect(matrix).to_have_attribute("aria-label", "No level: no contact with the station")


def loud(station, box: str) -> Journal:
    """What the journal of a box has that has gone to referral; it lasts."""
    made = Journal()
    now_s = int(time.time())
    opened = [
        add_stage(made, stage, at_s=60 + 20 * stage, unix_s=now_s - 60 + 20 * stage)
        for stage in (1, 2, 3)
    ]
    station.store.intake(box, arrivals(made))
    station.incidents.advance(box, 0, {opened[0]: True})
    return made


def test_an_incident_is_taken_on_the_square_worked_on_and_closed(browser, tmp_path):
    with Served(tmp_path) as served, page_of(browser, served) as page:
        served.administrator()
        served.account("Oscar", "officer")
        served.add_box(EAST, "Bagu square, east")
        page.goto("/")
        log_in(page, "Oscar")
        expect(page.locator("#link")).to_have_text("Live")
        journal = loud(served, EAST)
        wanting = group(page, "act").locator(".tile")
        expect(wanting).to_contain_text("Bagu square, east")
        wanting.get_by_role("button", name="Take it").click()
        taken = group(page, "look").locator(".tile")
        expect(taken).to_contain_text("Taken by Oscar")
        taken.get_by_role("link", name="Incident").click()
        expect(page.locator("[data-state]")).to_have_text("Taken by Oscar")
        expect(page.locator("[data-course] tr")).to_have_count(4)
        assert barriers(page) == []
        page.get_by_label("Intervention").select_option("dissuade")
        page.get_by_role("textbox", name="Note").fill("spoke to the group at the fountain")
        page.get_by_role("button", name="Note it").click()
        expect(page.locator("[data-course] tr").last).to_contain_text("at the fountain")
        now_s = int(time.time())
        add_stage(journal, 0, at_s=140, unix_s=now_s)
        add_minute(journal, at_s=160, unix_s=now_s + 20)
        served.store.intake(EAST, arrivals(journal))
        served.incidents.advance(EAST)
        page.locator("#close textarea").fill("they went home")
        page.get_by_role("button", name="Close").click()
        expect(page.locator("[data-state]")).to_have_text("Closed by Oscar")
        page.get_by_role("link", name="Incidents").click()
        expect(page.locator("[data-part=rest]")).to_contain_text("they went home")
        expect(page.locator("[data-part=open]")).to_contain_text("No incidents.")


def test_a_lamp_is_asked_for_from_the_page_and_its_answer_comes(browser, station):
    line = Line()
    station.soon(station.ways.heard, WEST, line)
    with page_of(browser, station) as page:
        page.goto(f"/boxes/{WEST}")
        log_in(page, "Oscar")
        expect(page.locator("#link")).to_have_text("Live")
        station.hear(WEST, laeq=71.0, stage=1)
        expect(page.locator(".matrix")).to_have_attribute(
            "aria-label", "71 dB, limit 70 dB, over the limit"
        )
        page.get_by_label("Spotlight, seconds").fill("20")
        page.get_by_role("button", name="Light it").click()
        asked = page.locator("#commands tr").first
        expect(asked).to_contain_text("Oscar")
        expect(asked).to_contain_text("Spotlight on · 20 sec")
        expect(asked.locator(".status").last).to_contain_text("Sent")
        ((_, body),) = line.commands
        station.run(station.commander.answered(WEST, body["id"], True, "lit for 20 s"))
        expect(asked.locator(".status").last).to_contain_text("Done")
        expect(asked).to_contain_text("lit for 20 s")
        expect(page.get_by_role("button", name="Restart")).to_have_count(0)


def test_a_viewer_looks_on(browser, station):
    station.account("Vera", "viewer")
    with page_of(browser, station) as page:
        page.goto(f"/boxes/{EAST}")
        log_in(page, "Vera")
        expect(page.locator("#link")).to_have_text("Live")
        expect(page.get_by_role("button", name="Light it")).to_have_count(0)
        expect(page.get_by_role("link", name="Audit log")).to_have_count(0)


def test_the_language_is_switched_and_kept(browser, station):
    with page_of(browser, station, locale="zh-CN") as page:
        page.goto("/login")
        expect(page.get_by_role("heading", level=1)).to_have_text("登录值守站")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in to the station")
        log_in(page, ADMIN)
        expect(page.get_by_role("link", name="Audit log")).to_be_visible()
        page.get_by_role("button", name="中文").click()
        page.get_by_role("link", name="审计日志").click()
        expect(page.locator("tbody tr").first).to_contain_text("登录")


@pytest.mark.parametrize("path", ["/login", "/", *PATHS, *PATHS_OF_ONE, "/plan", "/health"])
def test_no_button_can_be_pressed_before_its_script_is_there(browser, station, path):
    with page_of(browser, station, java_script_enabled=False) as page, station.visitor() as chief:
        if path not in OPEN_PATHS:
            chief.log_in(ADMIN)
            cookies = [
                {"name": cookie.name, "value": cookie.value, "url": station.url}
                for cookie in chief.cookies.jar
            ]
            page.context.add_cookies(cookies)
        page.goto(path)
        expect(page).to_have_url(station.url + path)
        expect(page.locator("button:disabled").first).to_be_visible()
        expect(page.locator("button:not(:disabled):visible")).to_have_count(0)


def test_what_takes_its_time_is_seen_to_be_under_way(browser, station):
    with page_of(browser, station) as page:
        page.goto("/account")
        log_in(page, ADMIN)
        held = []
        page.route("**/api/v1/audit", lambda route: held.append(route))
        page.goto("/audit", wait_until="domcontentloaded")
        expect(page.locator("body")).to_have_attribute("data-waiting", "")
        held.pop().continue_()
        expect(page.locator("#entries tr").first).to_be_visible()
        expect(page.locator("body")).not_to_have_attribute("data-waiting", "")


def test_a_proxy_before_a_station_that_is_down_is_understood(browser, station):
    # Its 502 is an error on the console too, so this page is none of `page_of`.
    page = browser.new_page(base_url=station.url, locale="en-GB")
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/login")
    html = {"status": 502, "content_type": "text/html", "body": "<h1>Bad Gateway</h1>"}
    page.route("**/api/v1/session", lambda route: route.fulfill(**html))
    page.fill("[name=name]", ADMIN)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("The station does not answer.")
    page.close()


def test_somebody_is_invited_given_a_role_and_shut_out(browser, station):
    with page_of(browser, station) as page:
        page.goto("/people")
        log_in(page, ADMIN)
        page.on("dialog", lambda dialog: dialog.accept())
        invite = page.locator("#invite")
        invite.get_by_label("Name").fill("Wang Wei")
        invite.get_by_role("button").click()
        link = page.locator("#secret output")
        expect(link).to_contain_text("/welcome#")
        page.locator("#secret [data-close]").click()
        expect(link).to_have_text("")
        row = page.locator("tbody tr", has_text="Wang Wei")
        expect(row).to_contain_text("Invited, no password yet")
        row.get_by_role("combobox").select_option("technician")
        row.get_by_role("button", name="Shut").click()
        expect(row.get_by_role("button", name="Open again")).to_be_visible()
        row.get_by_role("button", name="Open again").click()
        expect(row.get_by_role("combobox")).to_have_value("technician")
        row.get_by_role("button", name="Tokens").click()
        page.get_by_label("Purpose").fill("export")
        page.get_by_role("button", name="Issue a token").click()
        expect(page.locator("#secret")).to_contain_text("shown this once")
        assert len(link.inner_text()) == 43
        page.locator("#secret [data-close]").click()
        page.goto("/audit")
        expect(page.locator("tbody tr").first).to_contain_text("Token issued")


def test_the_keyboard_suffices(browser, station):
    with page_of(browser, station) as page:
        page.goto("/login")
        page.keyboard.type(ADMIN)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        expect(page.get_by_role("button", name="Log in")).to_be_enabled()
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-log-out]")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
def test_no_page_bars_anybody_or_is_wider_than_the_window(browser, station, scheme, viewport):
    context = {"color_scheme": scheme} | ({"viewport": viewport} if viewport else {})
    with page_of(browser, station, **context) as page:
        page.goto("/login")
        assert barriers(page) == [] and overflow_px(page) <= 0
        log_in(page, ADMIN)
        expect(page.locator("#link")).to_have_text("Live")
        for stage in range(4):
            station.hear(EAST, laeq=72.0, stage=stage, flags=["wind", "uncalibrated"])
            expect(tile(page, EAST)).to_have_attribute("data-at", str(stage))
            assert barriers(page) == [], stage
        assert overflow_px(page) <= 0
        for path in (*PATHS, f"/boxes/{EAST}"):
            page.goto(path)
            page.wait_for_selector("h1")
            page.wait_for_timeout(300)
            assert barriers(page) == [], path
            assert overflow_px(page) <= 0, path
