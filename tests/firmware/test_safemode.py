import check
from noisebox import safemode
from noisebox.retained import Retained


class Memory:
    """RTC memory: what is written is there after a reset; `power_cut` empties it."""

    def __init__(self):
        self.data = b""

    def __call__(self, data=None):
        if data is not None:
            self.data = bytes(data)
        return self.data

    def power_cut(self):
        self.data = b""


def start(memory, cause, button=False):
    return safemode.decide(cause, button, Retained(memory))


def test_three_crashes_in_a_row_start_no_app():
    memory = Memory()
    assert start(memory, "power") == safemode.RUN
    assert start(memory, "watchdog") == safemode.RUN
    assert start(memory, "panic") == safemode.RUN
    assert start(memory, "watchdog") == safemode.RETRY


def test_brown_outs_soft_and_asked_resets_do_not_count():
    memory = Memory()
    for cause in ("brownout", "soft", "asked", "sleep") * 3:
        assert start(memory, cause) == safemode.RUN
    assert Retained(memory).crashes == 0


def test_after_the_wait_one_more_crash_is_enough():
    memory = Memory()
    for _ in range(3):
        start(memory, "panic")
    safemode.retrying(Retained(memory))
    assert Retained(memory).asked
    assert start(memory, "asked") == safemode.RUN
    assert not Retained(memory).asked
    assert start(memory, "panic") == safemode.RETRY


def test_an_exception_of_the_app_counts_like_a_panic_but_its_reset_does_not_count_twice():
    memory = Memory()
    start(memory, "power")
    safemode.crashed(Retained(memory))
    assert start(memory, "asked") == safemode.RUN
    assert Retained(memory).crashes == 1


def test_a_person_at_the_console_may_reset_as_often_as_needed():
    memory = Memory()
    for _ in range(3):
        start(memory, "panic")
    for cause in ("soft", "asked", "asked", "asked"):
        safemode.attended(Retained(memory))
        assert Retained(memory).asked
        assert start(memory, cause) == safemode.RUN
    assert Retained(memory).crashes == 0


def test_the_button_wins_and_power_loss_forgets():
    memory = Memory()
    assert start(memory, "power", button=True) == safemode.STAY
    for _ in range(3):
        start(memory, "panic")
    memory.power_cut()
    assert start(memory, "power") == safemode.RUN


def test_garbage_in_the_memory_is_nothing_remembered():
    memory = Memory()
    retained = Retained(memory)
    retained.crashes = 2
    retained.ledger[5] = 44
    retained.save()
    good = memory.data
    assert Retained(memory).ledger[5] == 44 and Retained(memory).crashes == 2
    for position in range(len(good)):
        torn = bytearray(good)
        torn[position] ^= 0x10
        memory.data = bytes(torn)
        again = Retained(memory)
        assert again.crashes == 0 and not any(again.ledger)
    for length in range(len(good)):
        memory.data = good[:length]
        assert Retained(memory).crashes == 0


check.run(globals())
