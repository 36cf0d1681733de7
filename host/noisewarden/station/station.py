"""The parts of a running station, as one object for those that need several of them."""

from dataclasses import dataclass

from noisewarden.database import Database
from noisewarden.register import Register
from noisewarden.station.audit import Audit
from noisewarden.station.authority import Authority
from noisewarden.station.cases import Cases
from noisewarden.station.commanding import Commander
from noisewarden.station.health import Health
from noisewarden.station.incidents import Incidents
from noisewarden.station.levels import Levels
from noisewarden.station.live import Live
from noisewarden.station.people import People
from noisewarden.station.plans import Plans
from noisewarden.store import Store


@dataclass(frozen=True)
class Station:
    """`version` is that of the program."""

    database: Database
    store: Store
    register: Register
    people: People
    audit: Audit
    live: Live
    levels: Levels
    incidents: Incidents
    cases: Cases
    commander: Commander
    plans: Plans
    health: Health
    authority: Authority
    version: str
