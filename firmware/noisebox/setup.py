"""What the files of a box say, read once at the start by rooms that then leave the heap."""

import os
import sys

import noisebox

CONFIG = "config.json"
CALIBRATION = "calibration.json"


class Files:
    """The file system as journal and settings want it."""

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
    """Rooms that read settings are in memory only while this context lasts: they are large, and
    needed only at the start and for a new config. It ends when the heap is too full for one, too.
    """

    def __enter__(self):
        pass

    def __exit__(self, *_):
        leave("config", "calibration", "checked", "timetable", "posix_tz", "uplink")


class Setup:
    """What the files say.

    config          whole; zone and schedule are its Zone and Schedule, digest is its own
    calibration     (offset_db, until, void), see `calibration.load`
    network, ca     how the station is reached, see `uplink`; network is None for USB only
    secret          of this box, or None when it was never provisioned
    problems        lines about bad files, whose last good copies or defaults hold
    """

    def __init__(self, board, files):
        self.board = board
        self.files = files
        with Settings():
            from noisebox import calibration, config, uplink

            self.config, self.problems = config.load(files, CONFIG)
            self.zone, self.schedule = config.rules(self.config)
            self.digest = config.digest(self.config)
            *self.calibration, problems = calibration.load(files, CALIBRATION)
            self.network, network_problems = uplink.load(files)
            self.ca, self.secret = uplink.ca(files), uplink.secret(files)
        self.problems += problems + network_problems
