"""URLs that people type, and whether a secret is in them."""

from urllib.parse import parse_qsl, urlsplit


def tells_password(url: str) -> bool:
    """Whether there is a password in a URL, before the host or among its parameters, where libpq
    takes one too. What is no URL has none: whoever opens it says what it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.password) or any("password" in name for name, _ in parse_qsl(parts.query))
