"""The languages of the pages: which one a browser wants, and the words in it.

The words are one JSON file a language among the static files, since the scripts of the pages read
them too.
"""

import json
from pathlib import Path
from typing import Any

from fastapi import Request

from noisewarden.station.web.headers import STATIC

LANGUAGES = ("zh", "en")
"""The first is spoken when a browser wants neither."""
COOKIE = "language"

STATIC_FOLDER = Path(__file__).resolve().parents[1] / "static"

WORDS: dict[str, dict[str, str]] = {
    language: json.loads((STATIC_FOLDER / f"words.{language}.json").read_text(encoding="utf-8"))
    for language in LANGUAGES
}


def wanted(request: Request) -> str:
    """By the page's own switch, else by what the browser prefers (RFC 9110, 12.5.4)."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "")
    weighed = [_weighed(part) for part in accepted.split(",")]
    for weight, tag in sorted(weighed, key=lambda pair: -pair[0]):
        language = tag.split("-")[0]
        if weight > 0 and language in LANGUAGES:
            return language
    return LANGUAGES[0]


def _weighed(part: str) -> tuple[float, str]:
    tag, _, parameter = part.strip().lower().partition(";")
    try:
        return float(parameter.strip().removeprefix("q=") or 1), tag.strip()
    except ValueError:
        return 0.0, tag


def context(request: Request) -> dict[str, Any]:
    """What every template needs: `language`, and `t(key, **values)` for its words."""
    language = wanted(request)
    words = WORDS[language]

    def t(key: str, **values: Any) -> str:
        return words[key].format(**values)

    return {"language": language, "languages": LANGUAGES, "t": t, "static": STATIC}
