"""Cuts the power at every flash operation of a day's writing, between operations and in them.

The day is written once and each operation kept. Then the flash is built up again one operation at
a time; after each, and with half of the next one done, a box starts on it.
"""

import check
import journal_day
from flashdisk import Files, FlashDisk
from noisebox import evidence, journal, wire

KEY = wire.Key(b"journal key of the test")
SEGMENTS = 6
SEGMENT_BYTES = 2 * 4096 - 4


def start(files):
    return journal.Journal(files, "journal", KEY, SEGMENT_BYTES, SEGMENTS)


def content(files, name):
    with files.open("journal/" + name, "rb") as file:
        return file.read()


class Day:
    """disk       as it was before the day
    operations  of the day, (address, bytes)
    segments    name -> content of every segment there ever was
    names       of them, in order
    flushes     (operations done, last seq flushed) at each return of flush
    """

    def __init__(self):
        self.disk = FlashDisk(32)
        files = Files(self.disk, fresh=True)
        image = bytes(self.disk.image)
        self.operations = self.disk.log = []
        self.segments = {}
        self.flushes = [(0, 0)]
        box = start(files)

        def flushed():
            for name in sorted(files.listdir("journal"))[-2:]:
                self.segments[name] = content(files, name)
            self.flushes.append((len(self.operations), box.last_flushed_seq))

        journal_day.write(box, 1, flushed)
        self.names = sorted(self.segments)
        self.disk.log = None
        self.disk.apply(0, image)


def entries(first, data):
    """The entries of a segment's content, by the format alone and not by the journal's code."""
    offset = 32
    while offset < len(data):
        end = offset + 21 + data[offset]
        yield first, data[offset:end], data[end : end + 32], data[offset - 32 : offset]
        first += 1
        offset = end + 32


def examine(day, published):
    """Starts a box on the flash as it is, checks all that it finds, and takes back what it did.

    Returns the operations of the start itself: an unfinished turn of the ring that it completed.
    """
    disk = day.disk
    keep = len(disk.undo)
    repairs = disk.log = []
    files = Files(disk)
    box = start(files)
    disk.log = None
    assert not box.fault and not box.damage
    assert box.last_flushed_seq >= published

    # What is on flash are the bytes that were written, and no segment is missing.
    names = sorted(files.listdir("journal"))
    for name in names:
        data = content(files, name)
        complete = day.segments[name]
        assert data == complete[: len(data)]
        assert name == names[-1] or len(data) == len(complete)
    if names:
        newest = day.names.index(names[-1])
        assert names == day.names[max(0, newest + 1 - SEGMENTS) : newest + 1]
    if len(names) == SEGMENTS and names[0] != day.names[0]:
        told = evidence.unpack(next(box.read(int(names[-1], 16), 1))[1])
        assert told["kind"] == "overwritten" and told["last"] == int(names[0], 16) - 1

    # It goes on where it stopped, and what it adds is durable too.
    last = box.last_flushed_seq
    mac = next(box.read(last, 1))[2] if last else wire.FIRST_MAC
    box.append("fault", wire.pack("fault", text="after the cut"), 0, None, 0)
    assert box.flush(0)
    box = start(Files(disk))
    added = list(box.read(last + 1, 9))
    kinds = [evidence.unpack(entry[1])["kind"] for entry in added]
    assert kinds in (["fault"], ["overwritten", "fault"])
    assert added[0][3] == mac and not list(evidence.breaks(KEY, added))
    assert box.boot == wire.numbers(added[-1][1])[1] + 1
    disk.take_back(keep)
    return repairs


def half(operation):
    at, data = operation
    return at, data[: len(data) // 2]


def test_the_chain_of_the_day_verifies_across_its_segments():
    day = Day()
    chain = []
    for name in day.names:
        chain.extend(entries(int(name, 16), day.segments[name]))
    assert [entry[0] for entry in chain] == list(range(1, len(chain) + 1))
    assert not list(evidence.breaks(KEY, chain))
    assert sum([entry[1][1] == wire.OVERWRITTEN for entry in chain]) == len(day.names) - SEGMENTS
    assert len(chain) > 1440 and len(day.names) > 3 * SEGMENTS


def test_nothing_flushed_is_lost_at_any_cut():
    day = Day()
    disk = day.disk
    disk.undo = []
    flush = repaired = 0
    for done, operation in enumerate(day.operations):
        if day.flushes[flush + 1][0] <= done:
            flush += 1
        published = day.flushes[flush][1]
        for torn in (False, True):
            if torn:
                disk.apply(*half(operation))
            repairs = examine(day, published)
            repaired += bool(repairs)
            # The power may go a second time while the box puts things right.
            for count in range(len(repairs)):
                keep = len(disk.undo)
                for repair in repairs[:count]:
                    disk.apply(*repair)
                disk.apply(*half(repairs[count]))
                examine(day, published)
                disk.take_back(keep)
        disk.take_back(0)
        disk.apply(*operation)
        disk.undo.clear()
    examine(day, day.flushes[-1][1])
    assert repaired
    print(len(day.operations), "operations,", repaired, "starts that finished a turn of the ring")


check.run(globals())
