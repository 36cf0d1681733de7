"""The files for an external Mosquitto; what they do is proven in tests/system/test_broker.py."""

from pathlib import Path

import pytest
from noisewarden.errors import UserError
from noisewarden.station import mosquitto

PASSWORD = "a1" * 32
CERTIFICATE = (Path("server.pem"), Path("server.key"))


def test_the_files_hold_no_password_and_are_their_owners_alone(tmp_path):
    mosquitto.write(tmp_path, CERTIFICATE, PASSWORD)
    mosquitto.write_boxes(tmp_path, {"bagu-east-01": mosquitto.hashed(PASSWORD)})
    files = sorted(tmp_path.iterdir())
    assert len(files) == 5
    for path in files:
        assert PASSWORD not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_password_is_never_hashed_twice_alike():
    assert mosquitto.hashed(PASSWORD) != mosquitto.hashed(PASSWORD)


def test_a_box_that_is_gone_is_gone_from_the_file(tmp_path):
    mosquitto.write_boxes(tmp_path, {"a": "$7$1$x$y", "b": "$7$1$x$y"})
    mosquitto.write_boxes(tmp_path, {"b": "$7$1$x$y"})
    (path,) = tmp_path.iterdir()
    assert path.read_text() == "b:$7$1$x$y\n"


def test_a_folder_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^\S+: cannot be written \(.*\); .*$"):
        mosquitto.write(tmp_path / "none", CERTIFICATE, PASSWORD)
