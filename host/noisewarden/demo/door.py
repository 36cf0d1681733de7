"""The demo's way in: a link that works once and leads to the pages, logged in.

A real station has no such door: there a person has a password. This one is of loopback alone.
Cookies do not tell ports apart (RFC 6265, 8.5), so the station's can be given from here.
"""

import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from noisewarden.station.web.security import cookie_name


class Door:
    """A context manager: open from its entry to its exit.

    to      the page that it leads to, on localhost
    log_in  gives the token of a new session

    url  the link. Once it was followed, another takes its place
    """

    def __init__(self, to: str, log_in: Callable[[], str]) -> None:
        self._to = to
        self._log_in = log_in
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._renew()

    def __enter__(self) -> "Door":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_port}{self._path}"

    def _renew(self) -> None:
        self._path = f"/{secrets.token_urlsafe(12)}"

    def _opens(self, path: str) -> bool:
        """Whether this is the link's path, which then is spent."""
        with self._lock:
            right = secrets.compare_digest(path.encode(), self._path.encode())
            if right:
                self._renew()
            return right

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not door._opens(self.path):
                    self.send_error(410, "This link was used; take the one in the terminal")
                    return
                self.send_response(303)
                cookie = f"{cookie_name(False)}={door._log_in()}"
                self.send_header("Set-Cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Strict")
                self.send_header("Location", door._to)
                self.send_header("Cache-Control", "no-store")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The link is a secret."""

        return Handler
