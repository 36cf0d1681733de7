import check
from noisebox.upload import ASK_AGAIN_MS, WINDOW, Upload


class Link:
    """An upload from a journal that holds `numbers`; `sent` is what went out, in order."""

    def __init__(self, numbers, seq=0, again=()):
        self.numbers = numbers
        self.upload = Upload()
        self.upload.ack(seq, [list(pair) for pair in again], 0)
        self.sent = []

    def run(self):
        """Sends until nothing is due; what went out in this turn."""
        first = len(self.sent)
        while True:
            asked = self.upload.next(self.numbers[-1])
            if asked is None:
                return self.sent[first:]
            seq = min([number for number in self.numbers if number >= asked])
            self.upload.sent(asked, seq)
            self.sent.append(seq)


def span(first, last):
    return list(range(first, last + 1))


def test_nothing_goes_before_the_station_has_said_where_to_resume():
    assert Upload().next(40) is None


def test_records_follow_what_the_station_has_a_window_ahead():
    link = Link(span(1, 100), 40)
    assert link.run() == span(41, 40 + WINDOW)
    link.upload.ack(45, [], 0)
    assert link.run() == span(41 + WINDOW, 45 + WINDOW)
    link.upload.ack(45 + WINDOW, [], 0)
    assert link.run() == span(46 + WINDOW, 45 + 2 * WINDOW)


def test_what_the_station_asks_for_again_goes_first():
    link = Link(span(1, 100), 40)
    link.run()
    link.upload.ack(42, [[43, 43], [46, 48]], 0)
    assert link.run() == [43, 46, 47, 48] + span(41 + WINDOW, 42 + WINDOW)
    link.upload.ack(42, [[43, 43]], 0)
    link.upload.ack(44, [], 0)
    assert link.run() == [43] + span(43 + WINDOW, 44 + WINDOW)


def test_a_range_that_is_gone_is_answered_with_what_comes_after_it():
    link = Link(span(1, 10) + span(30, 60), 60, [(12, 20), (25, 31)])
    assert link.run() == [30, 30, 31]


def test_numbers_that_were_skipped_do_not_stop_it():
    link = Link([1, 2, 90, 91], 2)
    assert link.run() == [90]
    link.upload.ack(90, [], 0)
    assert link.run() == [91]


def test_after_a_question_the_answer_says_where_to_go_on():
    link = Link(span(1, 100), 40)
    link.run()
    link.upload.ask(0)
    assert link.run() == []
    link.upload.ack(30, [], 0)
    assert link.run() == span(31, 30 + WINDOW)


def test_an_old_ack_that_comes_again_changes_nothing():
    link = Link(span(1, 100), 40)
    link.run()
    link.upload.ack(50, [], 0)
    link.run()
    link.upload.ack(40, [], 0)
    assert link.run() == []
    assert link.upload.held == 50


def test_a_station_that_knows_more_is_believed():
    link = Link(span(1, 100), 40)
    link.upload.ack(90, [], 0)
    assert link.run() == span(91, 100)


def test_it_asks_again_only_while_an_answer_is_owed():
    upload = Upload()
    upload.ask(1000)
    assert not upload.silent(1000 + ASK_AGAIN_MS - 1)
    assert upload.silent(1000 + ASK_AGAIN_MS)
    upload.ack(5, [], 2000)
    assert not upload.silent(10 * ASK_AGAIN_MS)
    upload.sent(6, 6)
    assert not upload.silent(2000 + ASK_AGAIN_MS - 1)
    assert upload.silent(2000 + ASK_AGAIN_MS)


check.run(globals())
