"""Where the MicroPython image comes from: a local file, the cache, or a pinned download."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from images import BOARDS, micropython
from noisewarden import boards
from noisewarden.bench import image
from noisewarden.errors import UserError

IMAGE = micropython("esp32")
DIGEST = hashlib.sha256(IMAGE).hexdigest()


class Site:
    """A web server on loopback that stands for micropython.org.

    answer   what it sends, None for "not found"; `length` what it claims to send
    asked    the paths that were asked for
    """

    def __init__(self) -> None:
        self.answer: bytes | None = IMAGE
        self.length = len(IMAGE)
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                if site.answer is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(site.length))
                self.end_headers()
                self.wfile.write(site.answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/firmware"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    site = Site()
    monkeypatch.setattr(image, "SITE", site.url)
    monkeypatch.setenv("no_proxy", "*")
    yield site
    site.close()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return image.cache_folder()


def board(name: str = "esp32-devkitc", **pinned: Any) -> dict[str, Any]:
    """A board whose file pins IMAGE, or what is given."""
    loaded = boards.load(name)
    return loaded | {"image": loaded["image"] | {"sha256": DIGEST} | pinned}


def unpinned() -> dict[str, Any]:
    made = board()
    del made["image"]["sha256"]
    return made


def get(board: dict[str, Any]) -> image.Image:
    return image.pinned(board, lambda count: None)


def refusal(call, *arguments) -> str:
    """The one line with which a call is refused."""
    with pytest.raises(UserError) as refused:
        call(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_pinned_image_is_downloaded_once_and_then_kept(site, cache):
    counts: list[int] = []
    found = image.pinned(board(), counts.append)
    assert (found.data, found.sha256, found.warning) == (IMAGE, DIGEST, "")
    assert found.name == board()["image"]["file"]
    assert sum(counts) == len(IMAGE) and len(counts) > 1
    assert site.asked == [f"/firmware/{found.name}"]
    assert [path.name for path in cache.iterdir()] == [found.name]
    site.answer = None
    assert get(board()).data == IMAGE
    assert len(site.asked) == 1


def test_without_network_and_cache_it_says_which_file_and_where_to_put_it(site, cache):
    site.close()
    line = refusal(get, board())
    assert line.startswith(f"{site.url}/{board()['image']['file']}: cannot be downloaded (")
    assert "Connection refused" in line and "none is in the cache" in line
    assert line.endswith(f"fetch it on another computer and put it into {cache}")
    cache.mkdir(parents=True)
    (cache / board()["image"]["file"]).write_bytes(IMAGE)
    assert get(board()).data == IMAGE


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "Not Found"),
        (IMAGE[:50_000], "the connection broke off"),
        (IMAGE[:-1] + b"x", "do not use it"),
    ],
)
def test_what_comes_wrong_is_refused_and_not_kept(site, cache, answer, cause):
    site.answer = answer
    line = refusal(get, board())
    assert line.startswith(f"{site.url}/ESP32_GENERIC-") and cause in line
    assert not list(cache.glob("*"))


def test_a_damaged_copy_in_the_cache_is_replaced_or_told_of(site, cache):
    kept = cache / board()["image"]["file"]
    cache.mkdir(parents=True)
    kept.write_bytes(IMAGE[:1000])
    assert get(board()).data == kept.read_bytes() == IMAGE
    kept.write_bytes(IMAGE[:1000])
    site.close()
    assert "the copy there is damaged" in refusal(get, board())


def test_a_cache_that_cannot_be_written_costs_only_the_next_download(site, cache):
    cache.parent.parent.mkdir(parents=True, exist_ok=True)
    cache.parent.write_text("in the way")
    assert get(board()).data == get(board()).data == IMAGE
    assert len(site.asked) == 2


def test_nothing_that_is_not_pinned_is_downloaded(site, cache):
    line = refusal(get, unpinned())
    assert "pins no SHA-256" in line and "--image FILE" in line and site.url in line
    assert site.asked == []


def test_a_local_file_is_taken_and_its_digest_named_when_nothing_vouches_for_it(tmp_path):
    file = tmp_path / "mine.bin"
    file.write_bytes(IMAGE)
    assert image.from_file(file, board()) == image.Image(str(file), IMAGE, DIGEST, range(0x10000))
    warnings = [
        image.from_file(file, unpinned()).warning,
        image.from_file(file, board(sha256=64 * "0")).warning,
    ]
    assert "pins no SHA-256" in warnings[0] and "is not the pinned ESP32_GENERIC" in warnings[1]
    assert all(warning.endswith(f"its SHA-256 is {DIGEST}") for warning in warnings)


@pytest.mark.parametrize("chip", BOARDS)
def test_the_revisions_that_an_image_wants_are_read(tmp_path, chip):
    file = tmp_path / "mine.bin"
    file.write_bytes(micropython(chip, revisions=(3, 399)))
    assert image.from_file(file, board(BOARDS[chip])).revisions == range(3, 400)
    file.write_bytes(micropython(chip, revisions=(0, 0)))
    assert image.from_file(file, board(BOARDS[chip])).revisions == range(0x10000)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "is no MicroPython image for an ESP32"),
        (b"<html>404</html>" * 500, "is no MicroPython image for an ESP32"),
        (IMAGE[:2000], "is no MicroPython image for an ESP32"),
        (IMAGE[:0x6000], "is incomplete or damaged"),
        (IMAGE[:0x7010], "is incomplete or damaged"),
        (IMAGE[:0x8000], "is incomplete or damaged"),
        (IMAGE[:-1], "is incomplete or damaged"),
        (IMAGE[:50_000], "is incomplete or damaged"),
        (IMAGE[:80_000] + b"x" + IMAGE[80_001:], "is incomplete or damaged"),
        (IMAGE.ljust(4 << 20, b"\xff"), "is longer than the 4 MB of flash"),
        (
            micropython("esp32c3"),
            "is an image for ESP32-C3, but esp32-devkitc has ESP32; take ESP32_GENERIC-",
        ),
    ],
)
def test_a_local_file_that_would_not_run_is_refused(tmp_path, content, cause):
    file = tmp_path / "mine.bin"
    if content is not None:
        file.write_bytes(content)
    line = refusal(image.from_file, file, board(sha256=64 * "0"))
    assert line.startswith(f"{file}: ") and cause in line
