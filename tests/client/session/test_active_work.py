"""active_work.py: what disconnect() waits for."""

from stomp_tx.client.session.active_work import ActiveWork


def test_it_tells_each_time_that_something_is_finished() -> None:
    finished: list[int] = []
    work = ActiveWork(lambda: finished.append(len(work)))
    one, other = object(), object()
    work.add(one)
    work.add(other)
    work.finish(one)
    assert finished == [1]
    assert (work.is_none_but(other), work.is_none_but(one)) == (True, False)
    work.finish(other)
    assert (finished, work.is_none_but(None)) == ([1, 0], True)
