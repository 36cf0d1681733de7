"""What calibration is worth: many simulated boxes against what was promised."""

from dataclasses import replace

import numpy as np
import pytest
import simulated_calibration as simulated
from noisewarden.bench.calibration.result import calibrate


@pytest.mark.parametrize("meter_class", [1, 2])
def test_the_stated_uncertainty_covers_the_error(meter_class):
    found = simulated.good_boxes(meter_class)
    print(found)
    assert found.boxes == 500
    assert found.covered >= 0.95
    # A technician repeats what was refused; here a level has three tries.
    assert found.accepted >= 0.95
    if meter_class == 1:
        assert found.within >= 0.99
    else:
        # The uncertainty of a class 2 meter is most of it, and is told.
        assert 2 * simulated.STANDARD_UNCERTAINTY_DB[2] < found.expanded_db < 1.2


def test_faulty_boxes_are_refused_every_time():
    found = simulated.faulty_boxes()
    print(found)
    assert sum(of for _, of in found.values()) >= 500
    assert {name: of - refused for name, (refused, of) in found.items()} == dict.fromkeys(found, 0)


def test_a_meter_on_c_is_found_by_the_low_sound_alone():
    """Why the low sound is asked for: without it such a meter passes."""
    rng = np.random.default_rng(4)
    bench, box = simulated.sound(rng), simulated.good_box(rng)
    log = simulated.log_of(bench, 0.0, rng, c_weighted=True)
    instrument = simulated.instrument_of(1)
    found = simulated.run(bench, box, log, instrument)
    assert len(found.failures) == 1
    assert "not on A weighting" in found.failures[0].en
    believed = replace(instrument, weighting_known=True)
    points = [replace(point, instrument=believed) for point in found.points]
    assert calibrate(simulated.SUBJECT, points).accepted
