"""What the files of a box say, read once at the start by rooms that then leave the heap."""

import os
import sys

import noisebox

CONFIG = "config.json"
CALIBRATION = "calibration.json"


class Files:
    """The file system as journal and config want it."""

    def __init__(self):
        self.open = open
        self.listdir = os.listdir
        self.mkdir = os.mkdir
        self.remove = os.remove
        self.rename = os.rename


def leave(*rooms):
    """Takes rooms off the heap that are not needed any more."""
    for room in rooms:
        sys.modules.pop("noisebox." + room, None)
        if hasattr(noisebox, room):
            delattr(noisebox, room)


class Settings:
    """The room `config` and those it reads with, in memory only while a context lasts: they are
    large, and needed only at the start and for a new config."""

    def __enter__(self):
        try:
            from noisebox import config
        except MemoryError:
            # What came in before the heap was full must not stay.
            self.__exit__()
            raise
        return config

    def __exit__(self, *_):
        leave("config", "timetable", "posix_tz", "uplink")


class Setup:
    """What the files say.

    config          whole; zone and schedule are its Zone and Schedule, digest is its own
    calibration     (offset_db, until, void), see `config.calibration`
    network, ca     how the station is reached, see `uplink`; network is None for USB only
    secret          of this box, or None when it was never provisioned
    problems        lines about bad files, whose last good copies or defaults hold
    """

    def __init__(self, board, files):
        self.board = board
        self.files = files
        with Settings() as settings:
            self.config, self.problems = settings.load(files, CONFIG)
            self.zone, self.schedule = settings.rules(self.config)
            self.digest = settings.digest(self.config)
            *self.calibration, problems = settings.calibration(files, CALIBRATION)
            from noisebox import uplink

            self.network, network_problems = uplink.load(files)
            self.ca, self.secret = uplink.ca(files), uplink.secret(files)
        self.problems += problems + network_problems
