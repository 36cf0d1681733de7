"""The box's memory of what it measured: a ring of files that a power cut cannot tear (DESIGN 4.5).

A segment is a file named by the first `seq` in it (eight hex digits):

    mac before the first record · record · mac · record · mac …

so that the 32 bytes before any record are the mac that it continues from. A record gets its `seq`
when it is written: one that a power cut took from memory never had a number. LittleFS commits a
file when it is closed, all of what was written or nothing: tests/firmware/test_journal_power.py
cuts the power at every operation of a day. Nothing that stands on flash is ever written again: a
segment with a damaged end is left as it is, and the next one starts.

Errors of the flash do not leave this room: records wait in memory, and `fault` says why.
"""

from micropython import const

from noisebox import wire

# Eight LittleFS blocks of 4096 bytes, less the 44 bytes of pointers between them.
SEGMENT_BYTES = const(8 * 4096 - 44)
SEGMENTS = const(54)
"""1.8 MB, over 7 days. While the ring turns there is one more; 0.3 MB stay for the firmware."""

_FLUSH_AFTER_MS = const(240_000)
"""With the minute that is being measured, a power cut costs at most 5 min."""
_RETRY_AFTER_MS = const(10_000)
WAITING_MOST = const(32)
_LINKS = const(2)
"""Console and station: each reads at a place of its own."""

_START = wire.MAC_BYTES
_SMALLEST = wire.HEADER_BYTES + wire.MAC_BYTES
_LARGEST = wire.HEADER_BYTES + wire.BODY_MOST_BYTES + wire.MAC_BYTES


def _name(first):
    return "{:08x}".format(first)


def _first_seq(name):
    """The number in the name of a segment, None for the name of another file."""
    try:
        first = int(name, 16)
    except ValueError:
        return None
    return first if _name(first) == name else None


class Journal:
    """boot                this start's number, one more than the journal's last (0: not read yet)
    last_flushed_seq       the last record on flash, 0 when there is none
    next_seq               what the next record to be written will be
    fault                  why the last flush failed, "" when it did not
    damage                 what is wrong with records found on flash, "" when nothing is
    errors, dropped        flushes that failed, records given up because too many waited
    """

    def __init__(self, files, folder, key, segment_bytes=SEGMENT_BYTES, segments=SEGMENTS):
        """
        files   has open, listdir, remove and mkdir, as `os` and the built-in `open`.
        key     the `wire.Key` of the journal.
        """
        self._files = files
        self._folder = folder
        self._key = key
        self._segment_bytes = segment_bytes
        self._segments_most = segments
        self._segments = []  # first seq of each, oldest first
        self._file = None  # open for writing
        self._size = 0  # of the newest segment; segment_bytes when it takes no more
        self._mac = wire.FIRST_MAC
        self._told = 0  # up to here an `overwritten` record tells what went
        self._waiting = []
        self._urgent = False
        self._retry_ms = 0
        # (segment, seq, offset) where each link will read on, the latest first.
        self._read_on = [(0, 0, 0)] * _LINKS
        self.boot = 0
        self.last_flushed_seq = 0
        self.next_seq = 1
        self.fault = ""
        self.damage = ""
        self.errors = 0
        self.dropped = 0
        self._found = False
        self.flush(0)

    @property
    def first_seq(self):
        """The oldest number that the ring still holds; next_seq when it is empty."""
        return self._segments[0] if self._segments else self.next_seq

    def append(self, kind, body, uptime_ms, unix_s, quality):
        """Takes a record into memory; `due` says when to flush it. Arguments as `wire.record`.

        With WAITING_MOST in memory, because the flash fails, the oldest minute gives way.
        """
        if len(self._waiting) >= WAITING_MOST:
            kinds = [wire.header(data)[0] for data in self._waiting]
            del self._waiting[kinds.index("minute") if "minute" in kinds else 0]
            self.dropped += 1
        self._waiting.append(wire.record(kind, body, uptime_ms, unix_s, quality))
        self._urgent = self._urgent or kind != "minute"

    def due(self, uptime_ms):
        """Whether to flush now: at once for any record but a minute, a minute after 4 min."""
        if not self._waiting or uptime_ms < self._retry_ms:
            return False
        oldest_ms = wire.header(self._waiting[0])[3]
        return self._urgent or uptime_ms - oldest_ms >= _FLUSH_AFTER_MS

    def flush(self, uptime_ms):
        """Writes what waits; True when all of it is on flash.

        Takes some 50–250 ms on the chip: light the lamp first.
        """
        try:
            if not self._found:
                # A file that an error left open would overwrite later records when it is closed.
                self._close()
                self._recover()
            # Cut short, by an error or Ctrl-C, it is uncertain what the flash took: look first.
            self._found = False
            while self._waiting:
                self._write()
                self._remove_told()
            self._found = True
        except OSError as error:
            self.errors += 1
            self.fault = "journal: {}".format(error)
            self._retry_ms = uptime_ms + _RETRY_AFTER_MS
            return False
        self._urgent = False
        self.fault = ""
        return True

    def read(self, from_seq, limit):
        """Yields up to `limit` entries (seq, record, mac, previous mac), from `from_seq` on.

        Only what is on flash. Numbers that are missing between two entries are gone for ever. No
        file stays open between two of them, so that a flush may come in between.
        """
        while limit:
            try:
                entry = self._entry_from(from_seq)
            except OSError as error:
                self.errors += 1
                self.fault = "journal: {}".format(error)
                return
            if entry is None:
                return
            yield entry
            from_seq = entry[0] + 1
            limit -= 1

    def _path(self, first):
        return self._folder + "/" + _name(first)

    def _write(self):
        """Writes as many of the waiting records as the segment takes, or starts a new segment."""
        start = self._size + len(self._waiting[0]) + wire.MAC_BYTES > self._segment_bytes
        start = start or not self._segments
        batch = []
        size = self._size
        told = self._told
        if start:
            size = _START
            excess = len(self._segments) + 1 - self._segments_most
            if excess > 0:
                told = self._segments[excess] - 1
                batch.append(self._overwritten(told))
                size += len(batch[0]) + wire.MAC_BYTES
        own = len(batch)
        for data in self._waiting:
            if size + len(data) + wire.MAC_BYTES > self._segment_bytes:
                break
            size += len(data) + wire.MAC_BYTES
            batch.append(data)

        first = self.next_seq if start else self._segments[-1]
        seq = self.next_seq
        mac = self._mac
        file = self._file = self._files.open(self._path(first), "wb" if start else "ab")
        if start:
            file.write(mac)
        for data in batch:
            wire.number(data, seq, self.boot)
            mac = self._key.sign(mac, data)
            file.write(data)
            file.write(mac)
            seq += 1
        self._close()

        if start:
            self._segments.append(first)
        self._size = size
        self._mac = mac
        self._told = told
        self.next_seq = seq
        self.last_flushed_seq = seq - 1
        del self._waiting[: len(batch) - own]

    def _close(self):
        if self._file:
            self._file.close()
            self._file = None

    def _overwritten(self, last):
        """Tells the range that goes, at the time of the record that needs the room."""
        _, _, _, uptime_ms, unix_s, quality = wire.header(self._waiting[0])
        body = wire.pack("overwritten", first=self._segments[0], last=last)
        return wire.record("overwritten", body, uptime_ms, unix_s, quality)

    def _remove_told(self):
        # The record of the loss is on flash before the loss: a power cut in between costs nothing.
        while len(self._segments) > 1 and self._segments[1] - 1 <= self._told:
            self._files.remove(self._path(self._segments[0]))
            del self._segments[0]

    def _recover(self):
        """Learns from flash what was written last, at the start and after an error."""
        try:
            self._files.mkdir(self._folder)
        except OSError:
            pass  # it is there, or listdir tells why it cannot be
        self._segments = sorted(filter(None, map(_first_seq, self._files.listdir(self._folder))))
        self.damage = ""
        published = self.last_flushed_seq
        boot = hidden = 0
        for first in reversed(self._segments[:]):
            boot, here = self._scan(first, published)
            hidden += here
            if boot:
                break
            if not here:  # the power went before its first record was there
                self._files.remove(self._path(first))
                self._segments.remove(first)
        if not self.boot:
            self.boot = boot + hidden + 1
        if self.damage or self.next_seq != self.last_flushed_seq + 1:
            self._size = self._segment_bytes
        self._remove_told()
        self._found = True

    def _scan(self, first, published):
        """Reads a segment through and takes up where it ends.

        Returns the boot of its last whole record (0: there is none) and how many records may hide
        in bytes that cannot be read. Their numbers may have been published: none is used again.
        """
        seq = first
        offset = sound = _START
        boot = 0
        with self._files.open(self._path(first), "rb") as file:
            size = file.seek(0, 2)
            while True:
                entry = self._entry(file, offset, seq)
                if entry is None:
                    break
                _, data, mac, previous = entry
                sound = offset
                offset += len(data) + wire.MAC_BYTES
                if self._key.sign(previous, data) != mac:
                    self.damage = "journal: record {} does not fit its chain".format(seq)
                else:
                    sound = offset
                    if data[1] == wire.OVERWRITTEN:
                        self._told = wire.last_overwritten(data)
                if seq > published and self._waiting and data == self._waiting[0]:
                    del self._waiting[0]  # its flush failed after the flash had taken it
                boot = wire.numbers(data)[1]
                self._mac = mac
                seq += 1
        if size > offset:
            self.damage = "journal: {} bytes cannot be read after record {}".format(
                size - offset, seq - 1
            )
        # The length of a last record that does not fit may be wrong too, and hide others.
        hidden = max(size - sound, 0) // _SMALLEST - (sound < offset)
        if boot:
            self.last_flushed_seq = seq - 1
            self._size = offset
        self.next_seq = max(self.next_seq, seq + hidden)
        return boot, hidden

    def _entry(self, file, offset, seq):
        """The entry `seq` at `offset` of a segment; None when it is not there whole."""
        file.seek(offset - wire.MAC_BYTES)
        data = file.read(wire.MAC_BYTES + _LARGEST)
        if len(data) < wire.MAC_BYTES + _SMALLEST:
            return None
        end = wire.MAC_BYTES + wire.HEADER_BYTES + data[wire.MAC_BYTES]
        if len(data) < end + wire.MAC_BYTES:
            return None
        record = data[wire.MAC_BYTES : end]
        if wire.numbers(record)[0] != seq:
            return None
        return seq, record, data[end : end + wire.MAC_BYTES], data[: wire.MAC_BYTES]

    def _entry_from(self, seq):
        """The first entry on flash whose number is `seq` or more, or None."""
        for index, first in enumerate(self._segments):
            newest = index + 1 == len(self._segments)
            end = self.last_flushed_seq + 1 if newest else self._segments[index + 1]
            if end > seq:
                entry = self._entry_in(first, max(seq, first))
                if entry:
                    return entry
        return None

    def _entry_in(self, first, seq):
        at, offset = first, _START
        place = _LINKS - 1
        for index, (segment, known, known_at) in enumerate(self._read_on):
            if segment == first and at < known <= seq:
                place, at, offset = index, known, known_at
        with self._files.open(self._path(first), "rb") as file:
            while at <= seq:
                entry = self._entry(file, offset, at)
                if entry is None:
                    return None
                offset += len(entry[1]) + wire.MAC_BYTES
                at += 1
        del self._read_on[place]
        self._read_on.insert(0, (first, at, offset))
        return entry
