"""Sound as the microphone of a virtual box delivers it: stereo frames of int32 at 48 kHz.

Levels: a full-scale sine is 0 dBFS, and the virtual microphone gives −26 dBFS at 94 dB, so a
full-scale sine stands for 120 dB re 20 µPa. The 24-bit sample sits in the top bits of the left
word; the right word is 0, as the other slot of a microphone with its L/R pin tied low.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from noisewarden.errors import UserError

RATE_HZ = 48_000
BLOCK_SAMPLES = RATE_HZ // 4
FULL_SCALE_SINE_DB = 120.0

Samples = npt.NDArray[np.float64]
"""Mono, full scale ±1."""
Frame = npt.NDArray[np.int32]
"""Shape (n, 2): left and right word."""
Frames = Iterable[Frame]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_RATES_HZ = range(8_000, 768_001)
_24_BIT_PEAK = 1 << 23


def amplitude(level_db: float) -> float:
    """Root mean square, full scale 1, of a sound of `level_db` at the virtual microphone."""
    return 10 ** ((level_db - FULL_SCALE_SINE_DB) / 20) / 2**0.5


def frames(blocks: Iterable[Samples]) -> Iterator[Frame]:
    """Mono samples rounded to 24 bits, clipped at full scale, in the left word."""
    for block in blocks:
        clipped = np.clip(np.nan_to_num(block), -1, 1)
        words = np.minimum(np.rint(clipped * _24_BIT_PEAK), _24_BIT_PEAK - 1).astype(np.int32)
        stereo = np.zeros((len(block), 2), np.int32)
        stereo[:, 0] = words << 8
        yield stereo


def wav_seconds(path: Path) -> float:
    """How long a WAV file plays; UserError as for `wav`."""
    _check_wav(path)
    with _opened(path) as file:
        return file.frames / file.samplerate


def wav(path: Path) -> Iterator[Samples]:
    """The only or left channel of a WAV file at 48 kHz, in blocks.

    16-, 24- and 32-bit PCM and float; 48 kHz passes untouched, other rates go through soxr at its
    highest quality. UserError, before the first block, for what cannot be measured honestly.
    """
    _check_wav(path)
    return _blocks(_opened(path))


def _opened(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except soundfile.SoundFileError as error:
        cure = f"convert it: sox {path.name} {path.stem}-converted.wav"
        raise UserError(f"{path}: cannot be read as sound ({error}); {cure}") from None


def _blocks(file: soundfile.SoundFile) -> Iterator[Samples]:
    with file:
        resampler = None
        if file.samplerate != RATE_HZ:
            resampler = soxr.ResampleStream(file.samplerate, RATE_HZ, 1, "float64", "VHQ")
        while True:
            block = np.asarray(file.read(BLOCK_SAMPLES, always_2d=True)[:, 0], np.float64)
            last = len(block) == 0
            if resampler:
                block = resampler.resample_chunk(block, last=last)
            if len(block):
                yield block
            if last:
                return


def _check_wav(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name one WAV file in it")
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            problem = _problem(file, size, path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the name and the folder") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if problem:
        raise UserError(f"{path}: {problem}")


def _problem(file: BinaryIO, size: int, path: Path) -> str:
    """What is wrong with a WAV file, "" for nothing; libsndfile mends its chunks in silence."""
    if size == 0:
        return "is empty; copy or record it again"
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return f"is not a WAV file; convert it: sox {path.name} {path.stem}-converted.wav"
    cut = "is truncated, its header is incomplete; copy or record it again"
    long_data = format_problem = None
    while True:
        chunk = file.read(8)
        if len(chunk) < 8:
            return cut
        name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        start = file.tell()
        if name == b"data":
            break
        body = file.read(min(length, 64))
        if name == b"ds64" and len(body) >= 16:
            long_data = int.from_bytes(body[8:16], "little")
        if name == b"fmt ":
            if len(body) < 16:
                return cut
            format_problem = _format_problem(body, path)
        file.seek(start + length + length % 2)
    if format_problem is None:
        return cut
    if format_problem:
        return format_problem
    if head[:4] == b"RF64" and long_data is not None:
        length = long_data
    if length == 0 or size == start:
        return "holds no sound, its length is zero; record it again"
    if length > size - start:
        return (
            f"is truncated, {length} bytes of sound announced and {size - start} there; "
            f"copy it again, or take it as it is: "
            f"sox --ignore-length {path.name} {path.stem}-part.wav"
        )
    return ""


def _format_problem(body: bytes, path: Path) -> str:
    coding, _, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if coding == _EXTENSIBLE and len(body) >= 26:
        coding = int.from_bytes(body[24:26], "little")
    if coding not in (_PCM, _FLOAT):
        return (
            f"its coding {coding:#06x} is neither PCM nor float and loses levels; record in PCM, "
            f"or convert: sox {path.name} -e signed -b 24 {path.stem}-pcm.wav"
        )
    if coding == _PCM and bits == 8:
        return (
            "has 8-bit samples, which hold less than 50 dB between noise and clipping; record "
            f"with 16 bits or more, or convert: sox {path.name} -b 16 {path.stem}-16.wav"
        )
    if coding == _PCM and bits not in (16, 24, 32):
        return f"has {bits}-bit samples; convert: sox {path.name} -b 24 {path.stem}-24.wav"
    if rate not in _RATES_HZ:
        return (
            f"its rate of {rate} Hz is outside {_RATES_HZ[0]} to {_RATES_HZ[-1]} Hz, so the "
            "header is damaged or the sound too dull for dB(A); record at 48000 Hz"
        )
    return ""


def live(stream: BinaryIO, bits: int = 32, channels: int = 2) -> Iterator[Samples]:
    """The first channel of raw little-endian PCM at 48 kHz as it comes, as `arecord -t raw` gives.

    `bits` is 16 or 32; ends when the stream does.
    """
    kind = {16: np.dtype("<i2"), 32: np.dtype("<i4")}[bits]
    frame_bytes = kind.itemsize * channels
    while data := stream.read(frame_bytes * RATE_HZ // 50):
        whole = len(data) // frame_bytes * frame_bytes
        words = np.frombuffer(data[:whole], kind).reshape(-1, channels)[:, 0]
        yield words / float(1 << (bits - 1))


def silent(source: Frames) -> Iterator[Frame]:
    """A dead microphone or a broken data wire: zeros."""
    for block in source:
        yield np.zeros_like(block)


def stuck(source: Frames) -> Iterator[Frame]:
    """A data wire at the supply: all ones, a constant −1."""
    for block in source:
        yield np.full_like(block, -1)


def wrong_slot(source: Frames) -> Iterator[Frame]:
    """The L/R pin tied high: the sound comes in the right words."""
    for block in source:
        yield block[:, ::-1].copy()


def offset(source: Frames) -> Iterator[Frame]:
    """A constant of a tenth of full scale on the sound, as SPH0645 adds one."""
    for block in source:
        left = block[:, 0].astype(np.int64) + (_24_BIT_PEAK // 10 << 8)
        shifted = block.copy()
        shifted[:, 0] = np.clip(left, -(1 << 31), (1 << 31) - 256)
        yield shifted


def late_bit(source: Frames) -> Iterator[Frame]:
    """SPH0645 read by the I2S standard: each word is taken one bit late, its sign lost."""
    for block in source:
        yield block << 1


FAULTS: dict[str, Callable[[Frames], Iterator[Frame]]] = {
    "silent": silent,
    "stuck": stuck,
    "wrong-slot": wrong_slot,
    "offset": offset,
    "late-bit": late_bit,
}
"""Wrong wiring, as the chip hears it: each takes the frames of a right one."""
