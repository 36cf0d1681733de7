"""The USB port of a virtual box: a pty that terminals and bench tools open like a board's."""

import contextlib
import os
import select
import tty

_BACKLOG_BYTES = 1 << 18


class Console:
    """`port` is the path to open. What is sent while nobody has it open is lost, as on a wire.

    `typed` is what has come and waits for the chip, over its resets too.
    """

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)
        self._line = select.poll()
        self._line.register(self.fd, select.POLLIN)
        self._backlog = bytearray()
        self.typed = bytearray()

    def close(self) -> None:
        os.close(self.fd)

    def connected(self) -> bool:
        """Whether someone has the port open."""
        return not any(event & select.POLLHUP for _, event in self._line.poll(0))

    def send(self, data: bytes) -> None:
        """To whoever listens; a listener who does not read loses the newest."""
        if not self.connected():
            self._backlog.clear()
            return
        if len(self._backlog) < _BACKLOG_BYTES:
            self._backlog += data
        self.flush()

    def flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._backlog:
                del self._backlog[: os.write(self.fd, self._backlog[:1024])]

    def receive(self) -> bytes:
        """What has come, b"" when nothing has or nobody is there."""
        try:
            return os.read(self.fd, 4096)
        except OSError:
            return b""
