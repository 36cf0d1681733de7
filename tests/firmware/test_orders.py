import json

import check
from flashdisk import Files, FlashDisk
from noisebox import wire
from noisebox.orders import AGAIN_MOST, Orders

KEY = wire.Key(b"command key")
OTHER = wire.Key(b"another key")
NOW_S = 1_780_315_200
NEWEST = 40
BOOT = 7


def sealed(name, body, key=KEY, box="east"):
    text = body if isinstance(body, str) else json.dumps(body)
    return wire.seal(key, wire.topic(box, name), text)


class Box:
    """A box that starts on a flash of its own, or on that of another."""

    def __init__(self, disk=None, key=KEY):
        self.disk = disk or FlashDisk(16)
        self.orders = Orders(Files(self.disk, fresh=disk is None), "east", key)

    def hear(self, unix_s=NOW_S, key=KEY, **body):
        whole = {"id": "a", "counter": 1, "expires": NOW_S + 30, "action": "identify"}
        whole.update(body)
        return self.orders.command(sealed("command", whole, key), unix_s)

    def refusal(self, **body):
        return self.hear(**body)[1]

    def ack(self, body):
        return self.orders.ack(sealed("ack", body), BOOT, NEWEST)


# Seals.


def test_a_seal_gives_back_the_body_as_it_was():
    body = '{"text":  "静 \\u00e9", "n": 1.50}'
    payload = json.loads(json.dumps(wire.seal(KEY, "t", body)))
    assert wire.unseal(KEY, "t", payload) == body


def test_any_change_to_a_sealed_payload_is_seen():
    topic = wire.topic("east", "command")
    good = sealed("command", {"id": 1})
    for payload, key, at in (
        (dict(good, body=good["body"] + " "), KEY, topic),
        (dict(good, mac=good["mac"][:-1] + ("0" if good["mac"][-1] != "0" else "1")), KEY, topic),
        (dict(good, mac=good["mac"][:-2]), KEY, topic),
        (dict(good, mac=good["mac"] + "00"), KEY, topic),
        (dict(good, mac=""), KEY, topic),
        (dict(good, mac=5), KEY, topic),
        ({"body": good["body"]}, KEY, topic),
        ({"mac": good["mac"]}, KEY, topic),
        ({}, KEY, topic),
        (good, OTHER, topic),
        (good, KEY, wire.topic("west", "command")),
        (good, KEY, wire.topic("east", "ack")),
    ):
        check.raises(ValueError, wire.unseal, key, at, payload)


def test_topic_and_body_cannot_lend_each_other_a_part():
    payload = wire.seal(KEY, "ab", "c")
    check.raises(ValueError, wire.unseal, KEY, "a", dict(payload, body="bc"))


# Commands.


def test_a_good_command_acts():
    command, refusal = Box().hear(seconds=5)
    assert (command["action"], command["seconds"], refusal) == ("identify", 5, None)


def test_a_forged_command_is_dropped_and_counted():
    box = Box()
    assert box.hear(key=OTHER) is None
    west = wire.seal(KEY, wire.topic("west", "command"), json.dumps({"counter": 1}))
    assert box.orders.command(west, NOW_S) is None
    ack = sealed("ack", {"id": "a", "counter": 1, "action": "reboot"})
    assert box.orders.command(ack, NOW_S) is None
    assert box.orders.forged == 3
    assert box.refusal() is None  # it took no counter


def test_a_command_is_had_once_in_order_and_never_after_a_power_cut_either():
    box = Box()
    assert box.refusal(counter=5) is None
    for counter in (5, 4, 1):
        assert box.hear(counter=counter) is None
    assert box.orders.replayed == 3
    again = Box(box.disk)
    assert again.hear(counter=5) is None
    assert again.refusal(counter=6) is None
    assert Box(box.disk).hear(counter=6) is None


def test_the_counter_is_kept_up_to_what_json_keeps():
    most = (1 << 53) - 1
    box = Box()
    assert box.refusal(counter=most) is None
    assert Box(box.disk).hear(counter=most) is None
    for counter in (0, -1, 1 << 53, True, 1.5, "2", None):
        assert box.refusal(counter=counter).startswith("counter must be"), counter


def test_a_late_command_is_refused_and_takes_its_counter():
    box = Box()
    assert box.refusal(expires=NOW_S) is None
    assert box.refusal(counter=2, expires=NOW_S - 1) == "expired 1 s ago"
    assert box.hear(counter=2) is None
    for counter, expires in enumerate((None, -1, "soon", True, 1.5)):
        refusal = box.refusal(counter=10 + counter, expires=expires)
        assert refusal == "expires must be a time in whole seconds"


def test_without_a_clock_only_the_time_is_taken():
    box = Box()
    assert box.refusal(unix_s=None) == "the clock is not set"
    assert box.refusal(unix_s=None, counter=2, action="set_time", expires=None) is None
    assert box.refusal(unix_s=None, counter=3, action="set_time") == "the clock is not set"
    assert box.hear(unix_s=None, counter=2, action="set_time", expires=None) is None


def test_a_new_secret_begins_to_count_anew():
    box = Box()
    assert box.refusal(counter=900) is None
    renewed = Box(box.disk, OTHER)
    assert renewed.refusal(counter=1, key=OTHER) is None
    assert Box(box.disk, OTHER).hear(counter=1, key=OTHER) is None


def test_a_damaged_counter_refuses_all():
    box = Box()
    with Files(box.disk).open("counter.bin", "wb") as file:
        file.write(b"123")
    assert "provision the box again" in Box(box.disk).refusal(counter=1 << 40)


def test_a_counter_that_cannot_be_read_is_not_0():
    box = Box()
    assert box.refusal(counter=5) is None
    files = Files(box.disk)

    def fails(path, mode):
        raise OSError(5)

    files.open, opened = fails, files.open
    started = Orders(files, "east", KEY)
    files.open = opened  # once, and only as it starts
    replayed = sealed("command", {"id": "a", "counter": 5, "action": "set_time"})
    assert "provision the box again" in started.command(replayed, NOW_S)[1]


def test_a_counter_that_cannot_be_written_stops_the_command():
    box = Box()
    box.disk.fail_at, box.disk.fail_count = box.disk.operations, 1000
    assert box.refusal().startswith("counter.bin not written")


def test_no_power_cut_lets_a_command_act_twice():
    """The power goes after each operation of the flash: what acted before is never had again."""
    box = Box()
    assert box.refusal(counter=1) is None
    start = bytes(box.disk.image)
    operations = box.disk.log = []
    assert box.refusal(counter=2) is None
    box.disk.log = None
    assert operations
    for done in range(len(operations) + 1):
        disk = FlashDisk(16)
        disk.apply(0, start)
        for at, data in operations[:done]:
            disk.apply(at, data)
        started = Box(disk)
        assert started.hear(counter=1) is None
        if done == len(operations):  # only then could it have acted
            assert started.hear(counter=2) is None
        assert started.refusal(counter=3) is None


def test_an_authentic_body_that_is_no_object_is_passed_over():
    box = Box()
    for body in ("[1]", "null", "{", "[" * 2000, ""):
        assert box.orders.command(sealed("command", body), NOW_S) is None
    assert (box.orders.forged, box.orders.stale) == (0, 5)


# Acknowledgements.


def test_an_ack_of_this_start_counts():
    assert Box().ack({"boot": BOOT, "seq": 12}) == (12, [])
    assert Box().ack({"boot": BOOT, "seq": 0, "again": [[3, 3], [5, 9]]}) == (0, [[3, 3], [5, 9]])


def test_any_other_ack_does_not():
    box = Box()
    wrong = (
        {"boot": BOOT - 1, "seq": 12},
        {"boot": BOOT, "seq": NEWEST + 1},
        {"boot": BOOT, "seq": -1},
        {"boot": BOOT, "seq": True},
        {"boot": BOOT},
        {"seq": 12},
        {"boot": BOOT, "seq": 1, "again": 5},
        {"boot": BOOT, "seq": 1, "again": [[5]]},
        {"boot": BOOT, "seq": 1, "again": [[0, 2]]},
        {"boot": BOOT, "seq": 1, "again": [[9, 8]]},
        {"boot": BOOT, "seq": 1, "again": [[9, NEWEST + 1]]},
        {"boot": BOOT, "seq": 1, "again": [["1", "2"]]},
        {"boot": BOOT, "seq": 1, "again": [[1, 1]] * (AGAIN_MOST + 1)},
    )
    for body in wrong:
        assert box.ack(body) is None, body
    assert box.orders.stale == len(wrong)
    assert box.orders.ack(sealed("ack", {"boot": BOOT, "seq": 1}, OTHER), BOOT, NEWEST) is None
    assert box.orders.forged == 1


check.run(globals())
