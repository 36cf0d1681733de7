"""How long something takes on a machine that does much else."""

import time
from collections.abc import Callable


def fastest_s(work: Callable[[], object], rounds: int) -> float:
    """The fastest of some rounds: what else the machine does only ever adds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
