import random

import check
from noisebox.losses import Losses

BLOCK = 480
BLOCK_US = 10_000
BUFFER = 5120
"""Frames of the driver's buffer, 106 ms."""


class Driver:
    """The I2S driver in whole microseconds: it fills a bounded buffer and throws away what does
    not fit."""

    def __init__(self, parts_per_million=0):
        self.now_us = 0
        self.rate_scale = 1 + parts_per_million / 1e6
        self.taken = 0
        self.dropped = 0

    def made(self):
        return int(self.now_us * 0.048 * self.rate_scale)

    def wait_us(self, us):
        self.now_us += us
        waiting = self.made() - self.dropped - self.taken
        if waiting > BUFFER:
            self.dropped += (waiting - BUFFER + 255) // 256 * 256

    def read_block(self):
        """The time at which a block was there to be read."""
        while self.made() - self.dropped - self.taken < BLOCK:
            self.wait_us(100)
        self.taken += BLOCK
        self.wait_us(300)
        return self.now_us


def run(driver, blocks, stall_us):
    """Reads `blocks`, stalling `stall_us(block)` after each; returns what Losses counted."""
    losses = Losses(48_000)
    before = counted = 0
    for block in range(blocks):
        now = driver.read_block()
        counted += losses.block(now - before, BLOCK)
        before = now
        driver.wait_us(stall_us(block))
    return counted


def test_nothing_is_lost_while_stalls_fit_the_buffer():
    random.seed(1)
    driver = Driver()
    counted = run(driver, 6000, lambda block: random.randrange(90_000) if block % 25 == 0 else 0)
    assert driver.dropped == 0
    assert counted == 0


def test_a_flash_flush_of_200_ms_is_counted_within_one_descriptor():
    driver = Driver()
    counted = run(driver, 3000, lambda block: 200_000 if block in (500, 1500, 2500) else 0)
    assert driver.dropped > 3 * 4000
    assert abs(counted - driver.dropped) <= 3 * 256


def test_clocks_that_drift_lose_nothing():
    for parts_per_million in (-100, 100):
        assert run(Driver(parts_per_million), 6000, lambda block: 0) == 0


def test_random_stalls_are_counted_to_a_few_descriptors():
    random.seed(2)
    driver = Driver()
    stalls = [random.randrange(120_000, 400_000) if b % 100 == 50 else 0 for b in range(6000)]
    counted = run(driver, 6000, lambda block: stalls[block])
    assert driver.dropped > 100_000
    assert abs(counted - driver.dropped) <= 60 * 128


check.run(globals())
