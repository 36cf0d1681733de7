"""A live NTi XL2 over USB, its Remote Measurement option.

It is asked for LAeq since the question before (`MEAS:INIT` ends an interval, `MEAS:SLM:123:DT?`
tells of it), so that each answer is a second's own Leq: "65.2 dB, OK". Dashes, -999 and any other
status are no reading.
"""

import re

import serial

from noisewarden import ports
from noisewarden.bench.meters.protocol import Instrument, Papers, level
from noisewarden.errors import UserError

_BAUD = 9_600
_ANSWER_WITHIN_S = 0.5
_ANSWER = re.compile(r"(\S+)\s*dB\s*,\s*OK")
_IDENTITY = re.compile(r"NTi ?Audio\s*,\s*XL2[^,]*,\s*([^,\s]+)", re.IGNORECASE)
_OPTION_REQUIRED = "OPTION_REQUIRED"


class XL2:
    """The meter on `port`. UserError when there is none."""

    def __init__(self, port: str, papers: Papers) -> None:
        self._port = port
        self._papers = papers
        self._begin()

    def second(self) -> float | None:
        if not self._serial.is_open:
            self._begin_again()
        self._send("MEAS:INIT")
        answer = self._ask("MEAS:SLM:123:DT? LAEQ")
        if _OPTION_REQUIRED in answer:
            raise UserError(
                f"{self._port}: this XL2 has no Remote Measurement option; use its log instead"
            )
        match = _ANSWER.fullmatch(answer)
        return level(match.group(1)) if match else None

    def close(self) -> None:
        """Leaves the meter stopped, its keys unlocked."""
        try:
            self._send("INIT STOP")
            self._send("SYST:KLOC OFF")
        except UserError:
            pass  # gone: nothing is left to unlock
        self._serial.close()

    def _begin(self) -> None:
        try:
            self._serial = serial.Serial(
                self._port,
                _BAUD,
                timeout=_ANSWER_WITHIN_S,
                write_timeout=_ANSWER_WITHIN_S,
                exclusive=True,
            )
        except (*ports.GONE, ValueError) as error:
            raise UserError(
                f"{self._port}: cannot be opened ({error}); plug in the XL2 and choose COM Port "
                "on it"
            ) from None
        try:
            self.instrument = self._identify()
            # A reset selects the meter function and ends profiles; a dt begins with MEAS:INIT.
            for command in ("*RST", "INIT START", "MEAS:INIT"):
                self._send(command)
        except UserError:
            self._serial.close()
            raise

    def _begin_again(self) -> None:
        instrument = self.instrument
        self._begin()
        if self.instrument != instrument:
            self._serial.close()
            self.instrument = instrument
            raise UserError(
                f"{self._port}: is another XL2; plug in {instrument.name}, whose papers these are"
            )

    def _identify(self) -> Instrument:
        match = _IDENTITY.search(self._ask("*IDN?"))
        if not match:
            raise UserError(
                f"{self._port}: no XL2 answers; choose COM Port on its screen, or another port"
            )
        return self._papers.instrument("NTi XL2", serial=match.group(1), weighting_known=True)

    def _ask(self, command: str) -> str:
        """The answer, "" when there is none in time. What came late to an earlier question must
        not be taken for it."""
        try:
            self._serial.reset_input_buffer()
            self._send(command)
            line = self._serial.readline()
        except ports.GONE:
            raise self._gone() from None
        return line.decode("ascii", "replace").strip() if line.endswith(b"\n") else ""

    def _send(self, command: str) -> None:
        try:
            self._serial.write(command.encode() + b"\n")
        except ports.GONE:
            raise self._gone() from None

    def _gone(self) -> UserError:
        self._serial.close()
        return UserError(f"{self._port}: the XL2 is gone; plug it in again and repeat the level")
