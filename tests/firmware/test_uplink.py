import json

import check
from flashdisk import Files, FlashDisk
from noisebox import uplink

GOOD = {"ssid": "street", "password": "a long password", "station": "10.0.0.5", "port": 8883}


def flash(**contents):
    """A flash with these files, by name without its dot; None for none."""
    files = Files(FlashDisk(16), fresh=True)
    written = {"network_json": json.dumps(GOOD), "ca_der": "x", "secret_bin": "s" * 32}
    written.update(contents)
    for name, content in written.items():
        if content is not None:
            with files.open(name.replace("_", "."), "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
    return files


def test_a_whole_network_is_taken_and_the_port_may_be_left_out():
    assert uplink.load(flash()) == (GOOD, [])
    short = {key: GOOD[key] for key in ("ssid", "password", "station")}
    assert uplink.load(flash(network_json=json.dumps(short))) == (GOOD, [])


def test_an_open_network_and_the_longest_of_all_are_good():
    for changes in (
        {"password": ""},
        {"password": "x" * 8},
        {"password": "~" * 63},
        {"ssid": "x" * 32},
        {"ssid": "广场" * 5},
        {"station": "noise-warden.example.org"},
        {"port": 1},
        {"port": 65535},
    ):
        assert uplink.problems(dict(GOOD, **changes)) == [], changes


def test_each_problem_names_its_key_and_repeats_no_value():
    for key, values in (
        ("ssid", ("", "x" * 33, "广场" * 6, 5, None)),
        ("password", ("x" * 7, "x" * 64, "pass word\n", "密码密码密码密码", None)),
        ("station", ("", "10.0.0.5:8883", "http://station", "a b", "x" * 254, None)),
        ("port", (0, 65536, True, "8883", 1.5, None)),
    ):
        for value in values:
            (line,) = uplink.problems(dict(GOOD, **{key: value}))
            assert line.startswith(key + ": is "), line
            assert not value or str(value) not in line, line


def test_what_is_missing_or_unknown_is_told():
    assert uplink.problems({}) == [
        "ssid: is missing",
        "password: is missing",
        "station: is missing",
    ]
    assert uplink.problems(dict(GOOD, key="x")) == ["key: unknown key"]
    assert uplink.problems([GOOD]) == ["is not an object"]


def test_without_network_json_a_box_is_on_usb_and_nothing_is_wrong():
    assert uplink.load(flash(network_json=None, ca_der=None, secret_bin=None)) == (None, [])


def test_what_cannot_work_is_usb_only_and_says_why():
    for contents, cause in (
        ({"network_json": "{"}, "network.json: not valid JSON"),
        ({"network_json": "[" * 1000}, "network.json: not valid JSON"),
        ({"network_json": "{}" + " " * 4000}, "network.json: not valid JSON"),
        ({"network_json": b"\xff"}, "network.json: not valid JSON"),
        ({"network_json": "[]"}, "network.json: is not an object"),
        ({"ca_der": None}, "ca.der: is missing or damaged; provision the box again"),
        ({"ca_der": ""}, "ca.der: is missing or damaged"),
        ({"secret_bin": None}, "secret.bin: is missing or damaged"),
        ({"secret_bin": "s" * 31}, "secret.bin: is missing or damaged"),
        ({"secret_bin": "s" * 33}, "secret.bin: is missing or damaged"),
    ):
        network, problems = uplink.load(flash(**contents))
        assert network is None
        assert problems[0].startswith(cause), problems


check.run(globals())
