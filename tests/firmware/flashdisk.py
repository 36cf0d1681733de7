"""A flash chip in memory: counts what is done to it, fails on demand, can be wound back."""

import vfs
from micropython import const

BLOCK_BYTES = const(4096)

_BLOCK_COUNT, _BLOCK_SIZE, _ERASE = 4, 5, 6  # vfs.AbstractBlockDev.ioctl
_ERASED = b"\xff" * BLOCK_BYTES
_EIO = const(5)


class FlashDisk:
    """A block device for VfsLfs2.

    log               None, or a list that takes (address, bytes) of each program or erase
    undo              None, or a list that takes (address, former bytes) of each
    operations        programs and erases so far; erases and programmed_bytes of them
    collector_writes  programs that came from the garbage collector
    fail_at           the `fail_count` operations from this number on raise EIO and do nothing
    """

    def __init__(self, blocks):
        self.image = bytearray(b"\xff" * (blocks * BLOCK_BYTES))
        self._view = memoryview(self.image)
        self._blocks = blocks
        self.log = None
        self.undo = None
        self.fail_at = None
        self.fail_count = 0
        self.collector_writes = 0
        self.operations = self.erases = self.programmed_bytes = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK_BYTES + offset
        buffer[:] = self._view[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        try:
            data = bytes(buffer)
        except MemoryError:  # the heap is locked: a file is closed by the garbage collector
            self.collector_writes += 1
            raise
        self._operate(block * BLOCK_BYTES + offset, data, False)

    def ioctl(self, request, argument):
        if request == _BLOCK_COUNT:
            return self._blocks
        if request == _BLOCK_SIZE:
            return BLOCK_BYTES
        if request == _ERASE:
            self._operate(argument * BLOCK_BYTES, _ERASED, True)
        return 0

    def _operate(self, at, data, erase):
        number = self.operations
        self.operations += 1
        if self.fail_at is not None and self.fail_at <= number < self.fail_at + self.fail_count:
            raise OSError(_EIO)
        if erase:
            self.erases += 1
        else:
            self.programmed_bytes += len(data)
        if self.log is not None:
            self.log.append((at, data))
        self.apply(at, data)

    def apply(self, at, data):
        """Does one operation of a log."""
        if self.undo is not None:
            self.undo.append((at, bytes(self._view[at : at + len(data)])))
        self._view[at : at + len(data)] = data

    def take_back(self, keep):
        """Makes undone all but the first `keep` operations in `undo`."""
        undo, self.undo = self.undo, None
        while len(undo) > keep:
            self.apply(*undo.pop())
        self.undo = undo


class Files:
    """What the journal needs of a file system, on a disk of its own."""

    def __init__(self, disk, fresh=False):
        if fresh:
            vfs.VfsLfs2.mkfs(disk)
        self._fs = vfs.VfsLfs2(disk)
        self.open = self._fs.open
        self.remove = self._fs.remove
        self.rename = self._fs.rename
        self.mkdir = self._fs.mkdir
        self.stat = self._fs.stat

    def free_bytes(self):
        return self._fs.statvfs("/")[3] * BLOCK_BYTES

    def listdir(self, path):
        return [row[0] for row in self._fs.ilistdir(path)]
