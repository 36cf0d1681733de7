"""A deploy of what is there already, and mpremote alone, which comes to the prompt and resets."""

import subprocess
import sys
import tempfile
from pathlib import Path

from fastest import fastest_s
from noisewarden import boards
from noisewarden.bench.deploy import Deployment
from noisewarden.bench.manifest import bundle
from noisewarden.bench.tools import Mpremote
from noisewarden.virtual.supervisor import VirtualBox
from system.boxes import Bench, flash, tones
from system.serving import NOISEWARDEN

BOARD = "virtual"
MOST_S = 3
TRIES = 5


def main() -> None:
    board = boards.load(BOARD)
    mpremote = [sys.executable, "-m", "mpremote", "connect"]
    with tempfile.TemporaryDirectory() as folder:
        flash(Path(folder), main="")
        with VirtualBox(Path(folder), tones((1, 60)), board=boards.for_box(board)) as box:
            deployment = [NOISEWARDEN, "deploy", "--port", box.port, "--board", BOARD]

            def deploy() -> None:
                done = subprocess.run(deployment, capture_output=True, text=True, check=True)
                assert "nothing to send" in done.stdout, done.stdout

            def visit() -> None:
                for work in (["exec", "1"], ["resume", "reset"]):
                    command = [*mpremote, box.port, *work]
                    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                with Bench(box.port) as bench:
                    bench.next("state")

            Deployment(Mpremote(box.port), board, bundle(board)).run()
            took_s, alone_s = (fastest_s(work, TRIES) for work in (deploy, visit))
    print(f"deploy: nothing to send: {took_s:.1f} s, at most {MOST_S} s")
    print(f"deploy: mpremote alone, until the box reports itself: {alone_s:.1f} s")
    print(f"deploy: ratio: {took_s / alone_s:.1f}")


if __name__ == "__main__":
    main()
