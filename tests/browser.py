"""Debian's Chromium, and what no page of the station may do in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from served import PASSWORD, Served

WIDE = {"width": 1366, "height": 768}
PHONE = {"width": 360, "height": 740}
PATIENCE_MS = 120_000
"""A machine may have much else to do."""

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Fails where there is none: it is one of the Debian packages that .ci/run names."""
    path = shutil.which("chromium")
    assert path, "no chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        # Its sandbox does not start for root, which CI is.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, served: Served, **context: Any) -> Iterator[Page]:
    """A page; fails at its end if it complained, or asked another machine for anything."""
    options = {"locale": "en-GB", "viewport": WIDE, "base_url": served.url} | context
    opened = browser.new_context(**options)
    page = opened.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    hosts: set[str | None] = set()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    yield page
    opened.close()
    assert hosts <= {"localhost"}
    assert not complaints


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """From whatever page asks for it."""
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_selector("[data-log-out]")


def barriers(page: Page) -> list[str]:
    """What axe-core finds of serious barriers to people who see, hear or point otherwise."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def overflow_px(page: Page) -> int:
    """How far the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
