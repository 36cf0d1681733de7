"""The journal's rules: numbers, times, the ring, damage on flash and a flash that fails."""

import gc
from array import array

import check
from flashdisk import Files, FlashDisk
from noisebox import evidence, journal, wire

KEY = wire.Key(b"journal key of the test")
MINUTE_MS = 60_000
SEGMENT_BYTES = 4096
SEGMENTS = 4


def new_files(blocks=40):
    return Files(FlashDisk(blocks), fresh=True)


def start(files, key=KEY):
    return journal.Journal(files, "journal", key, SEGMENT_BYTES, SEGMENTS)


def add_minute(box, minute):
    body = wire.pack(
        "minute",
        laeq=60,
        lafmax=70,
        lafmin=50,
        lcpeak=80,
        l10=63,
        l50=59,
        l90=None,
        valid_s=60,
        flags=0,
        limit=70,
        stage=0,
        seconds=array("H", [500 + minute % 300] * 60),
    )
    box.append("minute", body, minute * MINUTE_MS, None, 0)


def add_fault(box, text, now_ms=0):
    box.append("fault", wire.pack("fault", text=text), now_ms, None, 0)


def write_minutes(box, count):
    for minute in range(count):
        add_minute(box, minute)
        if minute % 5 == 4:
            assert box.flush(0)
    assert box.flush(0)


def texts(box):
    """The texts of all faults on flash, after a look at the chain and the numbers."""
    entries = list(box.read(0, 10_000))
    assert not list(evidence.breaks(KEY, entries))
    numbers = [entry[0] for entry in entries]
    assert numbers == sorted(set(numbers))
    records = [evidence.unpack(entry[1]) for entry in entries]
    return [record["text"] for record in records if record["kind"] == "fault"]


def newest_path(files):
    return "journal/" + sorted(files.listdir("journal"))[-1]


def content(files, path):
    with files.open(path, "rb") as file:
        return file.read()


def replace(files, path, data):
    with files.open(path, "wb") as file:
        file.write(data)


def test_an_empty_journal():
    box = start(new_files())
    assert (box.boot, box.first_seq, box.last_flushed_seq, box.next_seq) == (1, 1, 0, 1)
    assert not list(box.read(0, 10)) and not box.due(10**9) and not box.fault


def test_a_minute_record_takes_at_most_160_bytes_on_flash():
    files = new_files()
    box = start(files)
    add_minute(box, 1)
    box.flush(0)
    assert len(content(files, newest_path(files))) - wire.MAC_BYTES <= 160


def test_minutes_wait_four_minutes_and_all_else_is_due_at_once():
    box = start(new_files())
    base = 1 << 31  # beyond what a small integer of the chip holds
    for minute in range(4):
        add_minute(box, base // MINUTE_MS + minute)
        assert not box.due(base + minute * MINUTE_MS)
    first_ms = base // MINUTE_MS * MINUTE_MS
    assert not box.due(first_ms + 239_999) and box.due(first_ms + 240_000)
    add_fault(box, "now", base)
    assert box.due(base)
    assert box.flush(base) and not box.due(base + 10**9)
    add_minute(box, base // MINUTE_MS)
    assert not box.due(base)


def test_only_what_is_flushed_is_read():
    box = start(new_files())
    add_minute(box, 0)
    assert not list(box.read(1, 10)) and box.last_flushed_seq == 0
    box.flush(0)
    assert [entry[0] for entry in box.read(1, 10)] == [1]


def test_a_number_is_given_at_the_flush_and_a_boot_at_each_start():
    files = new_files()
    for boot in range(1, 4):
        box = start(files)
        assert box.boot == boot
        add_fault(box, "kept {}".format(boot))
        box.flush(0)
        add_fault(box, "lost with the power")
    box = start(files)
    records = [evidence.unpack(entry[1]) for entry in box.read(0, 10)]
    assert [(record["seq"], record["boot"], record["text"]) for record in records] == [
        (1, 1, "kept 1"),
        (2, 2, "kept 2"),
        (3, 3, "kept 3"),
    ]
    assert box.next_seq == 4 and texts(box) == ["kept 1", "kept 2", "kept 3"]


def test_a_record_holds_what_it_was_given():
    box = start(new_files())
    box.append("fault", wire.pack("fault", text="水"), (7 << 32) + 5, 1_780_000_000, 2)
    box.flush(0)
    record = evidence.unpack(next(box.read(1, 1))[1])
    assert record == {
        "kind": "fault",
        "seq": 1,
        "boot": 1,
        "uptime_ms": (7 << 32) + 5,
        "time": 1_780_000_000,
        "quality": 2,
        "text": "水",
    }


def test_the_ring_gives_up_the_oldest_and_says_so():
    files = new_files()
    box = start(files)
    write_minutes(box, 300)
    assert len(files.listdir("journal")) == SEGMENTS
    entries = list(box.read(0, 1000))
    assert entries[0][0] == box.first_seq > 1 and entries[-1][0] == box.last_flushed_seq
    assert [entry[0] for entry in entries] == list(range(box.first_seq, box.next_seq))
    assert not list(evidence.breaks(KEY, entries))
    records = [evidence.unpack(entry[1]) for entry in entries]
    losses = [record for record in records if record["kind"] == "overwritten"]
    assert losses[-1]["last"] == box.first_seq - 1
    for former, latter in zip(losses, losses[1:]):
        assert latter["first"] == former["last"] + 1
    for name in files.listdir("journal"):
        assert len(content(files, "journal/" + name)) <= SEGMENT_BYTES


def test_reading_from_anywhere():
    box = start(new_files())
    write_minutes(box, 90)
    for first in (1, 2, 24, 25, 26, 89, 90):
        entries = list(box.read(first, 3))
        assert [entry[0] for entry in entries] == list(range(first, min(first + 3, 91)))
        assert evidence.unpack(entries[0][1])["seconds"][0] == (500 + first - 1) / 10
    assert not list(box.read(91, 3)) and not list(box.read(1, 0))


def test_a_reader_goes_on_while_the_ring_turns():
    box = start(new_files())
    write_minutes(box, 95)
    reader = box.read(1, 1000)
    first = next(reader)[0]
    write_minutes(box, 200)
    second = next(reader)[0]
    assert first == 1 and second == box.first_seq > 2


def test_a_torn_end_is_left_and_the_chain_goes_on_behind_it():
    """A file system without LittleFS's all or nothing: the newest segment ends at every byte."""
    files = new_files()
    box = start(files)
    for count in range(3):
        add_fault(box, "fault {}".format(count))
        box.flush(0)
    path = newest_path(files)
    whole = content(files, path)
    ends = [wire.MAC_BYTES + (len(whole) - wire.MAC_BYTES) * count // 3 for count in range(4)]
    for size in range(len(whole)):
        for name in files.listdir("journal"):
            files.remove("journal/" + name)
        replace(files, path, whole[:size])
        box = start(files)
        complete = sum([end <= size for end in ends[1:]])
        assert box.last_flushed_seq == complete
        assert complete == 0 or bool(box.damage) == (size not in ends)
        add_fault(box, "new")
        assert box.flush(0)
        assert texts(box) == ["fault 0", "fault 1", "fault 2"][:complete] + ["new"]
        if complete:
            assert content(files, path)[:size] == whole[:size]
            assert texts(start(files)) == texts(box)


def test_a_number_that_damage_may_hide_is_not_used_again():
    files = new_files()
    box = start(files)
    for count in range(6):
        add_fault(box, "fault {}".format(count))
    box.flush(0)
    path = newest_path(files)
    whole = content(files, path)
    for at in range(len(whole)):
        for name in files.listdir("journal"):
            files.remove("journal/" + name)
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        replace(files, path, damaged)
        box = start(files)
        assert box.damage
        add_fault(box, "new")
        assert box.flush(0)
        entries = list(box.read(1, 100))
        assert entries[-1][0] > 6 and box.boot > 1
        assert content(files, path) == damaged
        again = start(files)
        assert again.next_seq == entries[-1][0] + 1
        assert len(list(again.read(1, 100))) == len(entries)


def test_a_new_secret_starts_a_new_segment_and_keeps_the_old_records():
    files = new_files()
    box = start(files)
    write_minutes(box, 5)
    box = start(files, wire.Key(b"another"))
    assert "record 5" in box.damage
    new = box.next_seq
    add_fault(box, "new key")
    box.flush(0)
    entries = list(box.read(1, 100))
    assert [entry[0] for entry in entries] == [1, 2, 3, 4, 5, new] and new > 5
    assert list(evidence.breaks(KEY, entries)) == [new]
    assert len(files.listdir("journal")) == 2
    assert not start(files, wire.Key(b"another")).damage


def test_foreign_files_in_the_folder_are_left_alone():
    files = new_files()
    box = start(files)
    add_fault(box, "one")
    box.flush(0)
    for name in ("notes", "notes.txt", "0000000g", "0x000001"):
        replace(files, "journal/" + name, b"x" * 200)
    box = start(files)
    assert box.next_seq == 2 and not box.damage and not box.fault
    assert len(files.listdir("journal")) == 5


def test_an_error_at_any_operation_loses_and_doubles_nothing():
    """EIO at each operation of a turn of the ring, for one operation and for some in a row."""
    disk = FlashDisk(40)
    files = Files(disk, fresh=True)
    write_minutes(start(files), 93)
    disk.undo = []

    def run(fail_at, fail_count):
        """Five faults, one flush each, then what the app does when a flush failed."""
        box = start(files)
        disk.fail_at, disk.fail_count = disk.operations + fail_at, fail_count
        first = disk.operations
        for count in range(5):
            add_fault(box, str(count))
            box.flush(0)
        failed = box.errors
        used = disk.operations - first
        disk.fail_at = None
        assert box.due(10_000) == bool(box.fault)
        assert box.flush(10_000) and not box.fault
        assert texts(box) == ["0", "1", "2", "3", "4"]
        files_again = Files(disk)
        assert texts(start(files_again)) == ["0", "1", "2", "3", "4"]
        disk.take_back(0)
        return used, failed

    operations, failed = run(1 << 20, 1)
    assert failed == 0 and operations > 20
    for fail_count in (1, 3, 1 << 20):
        failures = 0
        for fail_at in range(operations):
            files = Files(disk)
            failures += run(fail_at, fail_count)[1] > 0
        assert failures
    gc.collect()
    assert not disk.collector_writes


def test_a_dead_flash_keeps_a_bounded_number_and_tells():
    disk = FlashDisk(40)
    files = Files(disk, fresh=True)
    disk.fail_at, disk.fail_count = 0, 1 << 30
    box = start(files)
    assert box.fault and box.errors == 1
    add_fault(box, "kept")
    for minute in range(100):
        add_minute(box, minute)
        assert not box.flush(minute * MINUTE_MS)
    assert box.errors == 101 and box.dropped == 101 - journal.WAITING_MOST
    assert not box.due(99 * MINUTE_MS + 9_999) and box.due(99 * MINUTE_MS + 10_000)
    assert not list(box.read(0, 10))
    disk.fail_at = None
    assert box.flush(100 * MINUTE_MS) and not box.fault
    records = [evidence.unpack(entry[1]) for entry in box.read(0, 100)]
    assert box.boot == 1 and len(records) == journal.WAITING_MOST
    assert records[0]["text"] == "kept" and records[1]["uptime_ms"] == 69 * MINUTE_MS


def test_a_full_flash_is_told_and_heals():
    files = new_files(blocks=12)
    replace(files, "big", bytes(4096 * 6))
    box = start(files)
    for minute in range(100):
        add_minute(box, minute)
        if not box.flush(0):
            break
    assert "28" in box.fault  # ENOSPC
    before = box.last_flushed_seq
    files.remove("big")
    assert box.flush(0) and box.last_flushed_seq == before + 1
    assert not list(evidence.breaks(KEY, box.read(0, 1000)))


class CountingDisk(FlashDisk):
    reads = 0

    def readblocks(self, block, buffer, offset=0):
        self.reads += 1
        FlashDisk.readblocks(self, block, buffer, offset)


def test_two_readers_do_not_make_each_other_begin_anew():
    """Or each record would cost a read through its segment, longer than the microphone waits."""

    def reads(*places):
        """Of the flash, while readers at these places take turns to read 60 records each."""
        disk = CountingDisk(40)
        box = journal.Journal(Files(disk, fresh=True), "journal", KEY)
        for minute in range(120):
            add_minute(box, minute)
            box.flush(0)
        disk.reads = 0
        for step in range(60):
            for place in places:
                (entry,) = box.read(place + step, 1)
                assert entry[0] == place + step
        return disk.reads

    for one, other in ((1, 41), (1, 1), (41, 1)):
        assert reads(one, other) < 1.2 * (reads(one) + reads(other))


check.run(globals())
