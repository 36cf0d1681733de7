"""Sound files as the microphone of a virtual box delivers them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from noisewarden.errors import UserError
from noisewarden.virtual import sound

WORDS_24 = np.array([0, 1, -1, 0x123456, -0x123456, 0x7FFFFF, -0x800000])


def write(path: Path, samples: np.ndarray, subtype: str = "PCM_16", rate: int = 48_000) -> Path:
    soundfile.write(path, samples, rate, subtype, format="WAV")
    return path


def left_words(path: Path) -> np.ndarray:
    frames = np.concatenate(list(sound.frames(sound.wav(path))))
    assert frames.dtype == np.int32
    assert not frames[:, 1].any()
    return frames[:, 0]


@pytest.mark.parametrize(
    ("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 24), ("FLOAT", 24)]
)
def test_a_file_at_48_khz_passes_bit_for_bit(tmp_path: Path, subtype: str, bits: int) -> None:
    words = WORDS_24 >> 24 - bits << 24 - bits
    path = write(tmp_path / "a.wav", words / (1 << 23), subtype)
    assert left_words(path).tolist() == (words << 8).tolist()


def test_the_left_channel_is_taken(tmp_path: Path) -> None:
    left, right = np.full(100, 0.25), np.full(100, -0.5)
    path = write(tmp_path / "stereo.wav", np.stack([left, right], axis=1))
    assert set(left_words(path)) == {1 << 29}


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000, 192_000])
def test_other_rates_keep_level_length_and_purity(tmp_path: Path, rate: int) -> None:
    seconds, amplitude = 3, 10 ** (-26 / 20)
    t = np.arange(seconds * rate) / rate
    path = write(tmp_path / "sine.wav", amplitude * np.sin(2 * np.pi * 997 * t), "FLOAT", rate)
    samples = np.concatenate(list(sound.wav(path)))
    assert abs(len(samples) - seconds * 48_000) <= 1
    middle = samples[24_000:-24_000]
    phase = 2 * np.pi * 997 * np.arange(len(middle)) / 48_000
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    assert 20 * np.log10(np.hypot(*fit) / amplitude) == pytest.approx(0, abs=0.001)
    residue = middle - basis @ fit
    assert 20 * np.log10(np.std(residue) / amplitude) < -110


def test_a_long_file_is_read_in_blocks(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", np.zeros(44_100 * 20), rate=44_100)
    sizes = [len(block) for block in sound.wav(path)]
    assert max(sizes) < 48_000
    assert sum(sizes) == 48_000 * 20
    assert sound.wav_seconds(path) == 20


def test_samples_are_rounded_clipped_and_left_justified() -> None:
    samples = np.array([0.6 / (1 << 23), 0.4 / (1 << 23), 1.5, -1.5, np.nan, np.inf])
    (frames,) = sound.frames([samples])
    most = (1 << 31) - 256
    assert frames[:, 0].tolist() == [256, 0, most, -(1 << 31), 0, most]


def test_a_full_scale_sine_is_120_db() -> None:
    assert sound.amplitude(120) == pytest.approx(2**-0.5)
    assert 20 * np.log10(sound.amplitude(94) * 2**0.5) == pytest.approx(-26)


def wav_bytes(
    coding: int = 1,
    bits: int = 16,
    rate: int = 48_000,
    data: bytes = bytes(200),
    announced: int | None = None,
) -> bytes:
    block = bits // 8
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, coding, 1, rate, rate * block, block, bits)
    length = len(data) if announced is None else announced
    body = b"WAVE" + head + struct.pack("<4sI", b"data", length) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"ID3\x04 this is music from somewhere", "is not a WAV"),
        (wav_bytes()[:30], "truncated"),
        (wav_bytes()[:40], "truncated"),
        (wav_bytes(announced=90_000), "truncated, 90000 bytes of sound announced and 200 there"),
        (wav_bytes(announced=0xFFFFFFFF), "truncated"),
        (wav_bytes(data=b""), "holds no sound"),
        (wav_bytes(bits=8), "8-bit"),
        (wav_bytes(bits=12), "12-bit"),
        (wav_bytes(coding=6, bits=8), "neither PCM nor float"),
        (wav_bytes(coding=3, bits=16), "cannot be read as sound"),
        (wav_bytes(rate=0), "rate of 0 Hz"),
        (wav_bytes(rate=4_000), "rate of 4000 Hz"),
        (wav_bytes(rate=2_000_000_000), "rate of 2000000000 Hz"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    path = tmp_path / "street.wav"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        sound.wav(path)
    text = str(refusal.value)
    assert cause in text
    assert text.startswith(str(path))
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "cause"), [("nothing.wav", "no such file"), (".", "is a folder")]
)
def test_no_file_is_refused_in_one_line(tmp_path: Path, name: str, cause: str) -> None:
    with pytest.raises(UserError, match=cause):
        sound.wav(tmp_path / name)


@pytest.mark.parametrize(("bits", "channels"), [(16, 1), (16, 2), (32, 1), (32, 2)])
def test_live_pcm_gives_its_first_channel(bits: int, channels: int) -> None:
    words = np.zeros((5_000, channels), f"<i{bits // 8}")
    words[:, 0] = np.arange(5_000) << bits - 16
    words[:, 1:] = -1
    stream = io.BytesIO(words.tobytes() + b"\x01")
    samples = np.concatenate(list(sound.live(stream, bits, channels)))
    assert np.array_equal(samples * (1 << 15), np.arange(5_000))


def test_faults_change_the_frames_as_the_wiring_would() -> None:
    (right,) = sound.frames([np.array([0.25, -0.25, 0.75])])
    heard = {name: next(fault([right])).tolist() for name, fault in sound.FAULTS.items()}
    tenth = (1 << 23) // 10 << 8
    assert heard == {
        "silent": [[0, 0]] * 3,
        "stuck": [[-1, -1]] * 3,
        "wrong-slot": [[0, 1 << 29], [0, -(1 << 29)], [0, 3 << 29]],
        "offset": [[(1 << 29) + tenth, 0], [-(1 << 29) + tenth, 0], [(3 << 29) + tenth, 0]],
        "late-bit": [[1 << 30, 0], [-(1 << 30), 0], [-(1 << 30), 0]],
    }
