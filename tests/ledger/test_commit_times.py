from budgetd.ledger.commit_times import LAST, CommitTimes


def add(times: CommitTimes, milliseconds: float, count: int = LAST) -> None:
    for _ in range(count):
        times.add(milliseconds / 1000)


def test_a_disk_is_slow_if_half_of_its_commits_are() -> None:
    times = CommitTimes()
    add(times, 20, LAST - 1)
    assert times.slow_seconds == 0.0  # so far it may be by chance
    add(times, 20, 1)
    assert times.slow_seconds == 0.020
    add(times, 1, LAST // 2 + 1)
    assert times.slow_seconds == 0.0


def test_a_few_that_take_long_do_not_make_it_slow() -> None:
    times = CommitTimes()
    add(times, 1)
    add(times, 500, LAST // 3)
    assert times.slow_seconds == 0.0


def test_a_disk_that_was_slow_has_to_be_fast_to_be_so_no_longer() -> None:
    times = CommitTimes()
    add(times, 8)
    assert times.slow_seconds == 0.0
    add(times, 20)
    assert times.slow_seconds
    add(times, 8)
    assert times.slow_seconds == 0.008
    add(times, 4)
    assert times.slow_seconds == 0.0
    add(times, 8)
    assert times.slow_seconds == 0.0
