"""Runs the `test_*` functions of a file on MicroPython, whose own unittest exits 0 on failure."""

import sys


def raises(kind, function, *args):
    """Calls `function(*args)`, returns the exception of `kind` that it must raise."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError("{} was not raised".format(kind.__name__))


def run(namespace):
    """Runs every test in name order; exits 1 when one failed or none was there."""
    passed = failed = 0
    for name in sorted(namespace):
        if not name.startswith("test_"):
            continue
        try:
            namespace[name]()
        except Exception as error:
            failed += 1
            print("FAILED", name)
            sys.print_exception(error)
        else:
            passed += 1
            print("ok", name)
    print("{} passed, {} failed".format(passed, failed))
    sys.exit(1 if failed or not passed else 0)
