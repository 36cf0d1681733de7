"""First of all the lamp goes out, whatever state the box was in."""

from noisebox import start

start.darken()
