"""A version that waits goes into place; then, before anything else is tried, the lamp goes out."""

import sys

import update

update.run()
# It is needed once, and the heap is small.
del update, sys.modules["update"]

from noisebox import start  # noqa: E402 - perhaps it is new only now

start.darken()
