"""The certificate of a calibration, or the report of one that was refused: JSON, HTML and PDF."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from noisewarden.bench.calibration.result import Result
from noisewarden.bench.certificate import html, pdf
from noisewarden.bench.certificate.content import sheet
from noisewarden.bench.certificate.texts import Texts
from noisewarden.errors import UserError


class Folder:
    """Where certificates go, named `<box>-<date>`, a second of a day `<box>-<date>-2`. UserError
    when there can be no such folder, and when a file cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from None

    @contextmanager
    def written(self, result: Result, language: str) -> Iterator[list[Path]]:
        """The three files of a result, which stay when all goes well in the block: a certificate
        must not vouch for a box that did not take its offset."""
        texts = Texts(language)
        number = self._number(result)
        page = sheet(result, number, texts)
        data = {"number": number, "statement": texts("statement")} | result.as_json()
        contents = {
            ".json": (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode(),
            ".html": html.page(page).encode(),
            ".pdf": pdf.document(page),
        }
        paths = [self.path / (number + suffix) for suffix in contents]
        try:
            for path, content in zip(paths, contents.values(), strict=True):
                try:
                    path.write_bytes(content)
                except OSError as error:
                    raise self._refused(error) from None
            yield paths
        except BaseException:
            for path in paths:
                with suppress(OSError):
                    path.unlink()
            raise

    def _number(self, result: Result) -> str:
        """The first that is free: an earlier certificate of the day stays."""
        first = number = f"{result.subject.box}-{result.subject.day.isoformat()}"
        count = 1
        while (self.path / f"{number}.json").exists():
            count += 1
            number = f"{first}-{count}"
        return number

    def _refused(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path}: cannot be written ({error.strerror}); name another folder with "
            "--certificates"
        )
