"""The certificate of a calibration, or the report of one that was refused: JSON, HTML and PDF."""

import json
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

    def write(self, result: Result, language: str) -> list[Path]:
        """The three files of a result."""
        texts = Texts(language)
        number = self._number(result)
        written = sheet(result, number, texts)
        data = {"number": number, "statement": texts("statement")} | result.as_json()
        contents = {
            ".json": (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode(),
            ".html": html.page(written).encode(),
            ".pdf": pdf.document(written),
        }
        paths = []
        for suffix, content in contents.items():
            path = self.path / (number + suffix)
            try:
                path.write_bytes(content)
            except OSError as error:
                raise self._refused(error) from None
            paths.append(path)
        return paths

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
