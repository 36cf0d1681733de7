"""A flash in memory for the files of settings, and what was told of them."""


class PowerCut(Exception):
    pass


class File:
    def __init__(self, files, path, data):
        self._files, self._path = files, path
        self._data = data

    def seek(self, offset, whence=0):
        return len(self._data) if whence == 2 else offset

    def read(self, size):
        return self._data[:size]

    def write(self, data):
        self._files.content[self._path] = data[: len(data) // 2]
        self._files.spend()
        self._files.content[self._path] = data

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class Files:
    """A flash in memory that can run out of power after some operations, or of space."""

    def __init__(self, **content):
        self.content = content
        self.operations_left = None
        self.full = False

    def spend(self):
        if self.operations_left is not None:
            if not self.operations_left:
                raise PowerCut
            self.operations_left -= 1

    def open(self, path, mode):
        if mode == "rb":
            if path not in self.content:
                raise OSError(2)
            return File(self, path, self.content[path])
        if self.full:
            raise OSError(28)
        self.spend()
        self.content[path] = b""
        return File(self, path, b"")

    def rename(self, old, new):
        self.spend()
        self.content[new] = self.content.pop(old)


def told(problems, *fragments):
    """Is there one line for each fragment, and no other?"""
    return len(problems) == len(fragments) and all(
        any(fragment in problem for problem in problems) for fragment in fragments
    )
