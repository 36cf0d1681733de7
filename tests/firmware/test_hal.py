import check
from noisebox import hal

REGISTERS = (("esp32", 0x3FF48034), ("esp32s3", 0x60008038), ("esp32c3", 0x60008038))

POWER_ON, SOFTWARE, DIGITAL_CORE = 1, 3, 15
"""Of the chip's register, as in soc/reset_reasons.h of IDF."""


def cause(reported, chip="virtual", asked=False, register=None):
    """Of a reset that MicroPython reports so, with these registers."""
    hal.machine.reset_cause = lambda: reported
    hal.machine.mem32 = register or {}
    return hal.reset_cause(chip, asked)


def test_a_brown_out_is_told_from_power_on():
    for chip, register in REGISTERS:
        # The next bits are those of the other core.
        for state, told in (
            (POWER_ON, "power"),
            (POWER_ON | 14 << 6, "power"),
            (SOFTWARE | 14 << 6, "brownout"),  # by IDF's interrupt
            (DIGITAL_CORE, "brownout"),  # by the chip itself
        ):
            assert cause(hal.machine.PWRON_RESET, chip, False, {register: state}) == told
    assert cause(hal.machine.PWRON_RESET) == "power"


def test_other_resets_are_told_by_what_micropython_reports():
    for reported, told in (
        (hal.machine.SOFT_RESET, "soft"),
        (hal.machine.WDT_RESET, "watchdog"),
        (hal.machine.DEEPSLEEP_RESET, "sleep"),
        (hal.machine.HARD_RESET, "panic"),
        (0, "power"),  # USB, JTAG
    ):
        assert cause(reported, "esp32", False, {0x3FF48034: SOFTWARE}) == told
    assert cause(hal.machine.HARD_RESET, "esp32", True) == "asked"


check.run(globals())
