"""The one error that a person can cause."""


class UserError(Exception):
    """Something a person can put right, told in one line: the thing, the cause, the cure.

    The command line prints the text without a traceback and exits with 1: the work failed.
    """
