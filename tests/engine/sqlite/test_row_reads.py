"""engine/sqlite/row_reads.py, row_writes.py, loading.py: all of a group of changes, or nothing."""

from __future__ import annotations

import sqlite3
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import loading, row_reads, row_writes
from stomp_tx.engine.sqlite.changes import Changes, Part, QueueRow
from stomp_tx.engine.sqlite.file import versions
from stomp_tx.engine.sqlite.recovery import recover
from stomp_tx.message import OVERHEAD, Keeping, Message

texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)))
messages = st.builds(
    Message,
    id=st.text("abcdef0123456789-", min_size=1),
    destination=texts,
    address=st.just("/queue/a"),
    headers=st.dictionaries(texts, texts, max_size=8),
    body=st.binary(max_size=200) | st.just(b"\0" * 70_000) | st.just(b"x" * (row_writes.BIG - 1)),
    size=st.integers(0, 2**40),
)
keepings = st.none() | st.builds(Keeping, st.booleans(), st.integers(0, 2**53), st.none())


def facts(message: Message) -> tuple[object, ...]:
    """All that a row must bring back."""
    keeping = message.keeping or Keeping()
    return (
        message.id,
        message.destination,
        message.address,
        list(message.headers.items()),
        message.body,
        message.size,
        message.attempts,
        message.position,
        keeping.persistent,
        keeping.expires,
    )


class Rows(SynchronousTestCase):
    def setUp(self) -> None:
        self.open()

    def open(self) -> None:
        self.file = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.file.close)
        for statements in versions().values():
            self.file.executescript(statements)

    def part(self, number: int, added: list[Message], removed: list[Message] | None = None) -> Part:
        part = Part()
        part.added, part.removed = added, removed or []
        part.grow()
        part.row = QueueRow(number, f"/queue/{number}", None, part.rows, part.octets, 0)
        return part

    def write(self, *parts: Part, **more: object) -> bool:
        changes = Changes()
        changes.parts = list(parts)
        for name, value in more.items():
            setattr(changes, name, value)
        return row_writes.write(self.file, changes)

    def numbered(self, *positions: int, size: int = 1, keeping: Keeping | None = None) -> list[Message]:
        found = []
        for position in positions:
            message = Message(str(position), "/queue/1", "/queue/1", {}, b"%d" % position, size)
            message.position = position
            message.keeping = keeping or Keeping(persistent=True)
            found.append(message)
        return found

    def there(self, number: int = 1) -> list[int]:
        found: list[int] = []
        read = partial(row_reads.page, self.file, number, "/queue/1")
        while page := read(found[-1] if found else 0, 2**62).messages:
            found += [message.position for message in page]
        return found


class RoundTripTests(Rows):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(messages, keepings, st.integers(0, 2**31)), min_size=1, max_size=20))
    def test_any_message_comes_back_as_it_went(self, sent: list[tuple[Message, Keeping | None, int]]) -> None:
        self.open()
        for position, (message, keeping, attempts) in enumerate(sent, 1):
            message.position, message.attempts, message.keeping = position, attempts, keeping
        self.write(self.part(1, [message for message, _, _ in sent]))
        found: list[Message] = []
        read = partial(row_reads.page, self.file, 1, "/queue/a")
        while page := read(found[-1].position if found else 0, 2**62).messages:
            found += page
        self.assertEqual([facts(one) for one in found], [facts(message) for message, _, _ in sent])

    def test_any_number_of_them_in_one_commit(self) -> None:
        for count in (1, 15, 16, 17, 32, 33, 511, 1023, 1024, 1025, 2049, 3000):
            self.open()
            self.write(self.part(1, self.numbered(*range(1, count + 1))))
            self.assertEqual(self.there(), list(range(1, count + 1)), count)

    def test_of_many_queues_each_its_own(self) -> None:
        parts = []
        for number in range(1, 30):
            parts.append(self.part(number, self.numbered(*range(number, number + 50))))
        self.write(*parts)
        for number in range(1, 30):
            self.assertEqual(self.there(number), list(range(number, number + 50)))


class WriteTests(Rows):
    def test_what_was_removed_is_gone_though_it_was_added_in_the_same_commit(self) -> None:
        added = self.numbered(1, 2, 3, 4)
        self.write(self.part(1, added, added[1:3]))
        self.assertEqual(self.there(), [1, 4])

    def test_attempts_of_those_that_stay(self) -> None:
        self.write(self.part(1, self.numbered(1, 2, 3)))
        self.write(attempts={(1, 2): 5, (1, 99): 1, (7, 1): 1})
        page = row_reads.page(self.file, 1, "/queue/1", 0, 99).messages
        self.assertEqual([message.attempts for message in page], [0, 5, 0])

    def test_all_of_it_or_nothing(self) -> None:
        self.write(self.part(1, self.numbered(1, 2)))
        twice = self.numbered(3, 3)
        with self.assertRaises(sqlite3.IntegrityError):
            self.write(
                self.part(1, twice, self.numbered(1)),
                attempts={(1, 2): 1},
                seen=[("a", "x", 1.0)],
                dropped=[5],
            )
        self.assertFalse(self.file.in_transaction)
        self.assertEqual(self.there(), [1, 2])
        for table in ("seen", "doomed"):
            self.assertEqual(self.file.execute(f"SELECT * FROM {table}").fetchall(), [])
        self.write(self.part(1, self.numbered(3)))
        self.assertEqual(self.there(), [1, 2, 3])

    def test_a_queue_that_is_no_more_goes_bit_by_bit(self) -> None:
        self.patch(row_writes, "DOOMED", 10)
        self.write(self.part(1, self.numbered(*range(1, 36))), self.part(2, self.numbered(1, 2)))
        more = self.write(dropped=[1])
        self.assertEqual(self.file.execute("SELECT number FROM queue").fetchall(), [(2,)])
        rounds = 1
        while more:
            more = self.write(doomed=True)
            rounds += 1
            self.assertLess(rounds, 20)
        self.assertEqual((self.there(1), self.there(2)), ([], [1, 2]))
        self.assertFalse(loading.some_are_doomed(self.file))

    def test_names_are_remembered_oldest_first_and_forgotten(self) -> None:
        self.write(seen=[("a", "x", 3.0), ("a", "y", 1.0), ("b", "x", 2.0)])
        self.write(seen=[("a", "y", 4.0)])
        self.assertEqual(list(loading.seen(self.file)), [[("b", "x"), ("a", "x"), ("a", "y")]])
        self.assertEqual(loading.latest_stamp(self.file), 4.0)
        self.write(forgotten=3.0)
        self.assertEqual(list(loading.seen(self.file)), [[("a", "x"), ("a", "y")]])
        loading.forget(self.file, [("a", "x"), ("b", "y")])
        self.assertEqual(list(loading.seen(self.file)), [[("a", "y")]])

    def test_no_names_have_no_stamp(self) -> None:
        self.assertIsNone(loading.latest_stamp(self.file))
        self.assertEqual(list(loading.seen(self.file)), [])


class ReadTests(Rows):
    def positions(self, number: int, after: int, until: int) -> list[int]:
        """Of one page."""
        page = row_reads.page(self.file, number, f"/queue/{number}", after, until)
        return [message.position for message in page.messages]

    def test_a_page_is_so_many_or_so_large_but_one_at_least(self) -> None:
        self.write(self.part(1, self.numbered(*range(1, 31))))
        self.patch(row_reads, "PAGE", 10)
        page = row_reads.page(self.file, 1, "/queue/1", 5, 99).messages
        self.assertEqual([message.position for message in page], list(range(6, 16)))
        self.assertEqual(
            [one.position for one in row_reads.page(self.file, 1, "/queue/1", 5, 8).messages], [6, 7, 8]
        )
        self.write(self.part(2, self.numbered(1, 2, 3, 4, size=row_reads.PAGE_OCTETS // 2)))
        self.assertEqual(
            [one.position for one in row_reads.page(self.file, 2, "/queue/2", 0, 99).messages], [1, 2]
        )
        self.write(self.part(3, self.numbered(1, 2, size=5 * row_reads.PAGE_OCTETS)))
        self.assertEqual(self.positions(3, 0, 99), [1])

    def test_what_has_expired_first_first(self) -> None:
        added = []
        for position, expires in ((1, 0), (2, 30), (3, 10), (4, 40), (5, 20)):
            added += self.numbered(position, keeping=Keeping(True, expires))
        self.write(self.part(1, added))
        found = row_reads.expired(self.file, 1, "/queue/1", 30, 0, 99).messages
        self.assertEqual([message.position for message in found], [3, 5, 2])
        found = row_reads.expired(self.file, 1, "/queue/1", 99, 3, 4).messages
        self.assertEqual([message.position for message in found], [4])
        self.assertEqual(row_reads.next_expiry(self.file, 1), 10)
        self.assertEqual(row_reads.next_expiry(self.file, 1, 30), 40)
        self.assertEqual(row_reads.next_expiry(self.file, 1, 40), 0)
        self.assertEqual(row_reads.next_expiry(self.file, 2), 0)

    def test_recovered_the_spilled_are_gone_and_the_marked_are_counted(self) -> None:
        kept, spilled = self.numbered(1, 3, 5), self.numbered(2, 4, keeping=Keeping(False, 7))
        kept[0].attempts = 4
        part = self.part(1, [*kept, *spilled])
        part.row = part.row._replace(mark=3, topic="/topic/t")
        self.write(part)
        recover(self.file)
        page = row_reads.page(self.file, 1, "/queue/1", 0, 99).messages
        self.assertEqual([(one.position, one.attempts) for one in page], [(1, 4), (3, 1), (5, 0)])
        ((row, last, next_expiry),) = loading.queues(self.file)
        octets = sum(message.size - OVERHEAD for message in kept)
        self.assertEqual(row, QueueRow(1, "/queue/1", "/topic/t", 3, octets, 0))
        self.assertEqual((last, next_expiry), (5, 0))

    def test_no_number_is_used_twice(self) -> None:
        self.assertEqual(loading.last_number(self.file), 0)
        self.patch(row_writes, "DOOMED", 1)
        self.write(self.part(3, self.numbered(1, 2)), self.part(7, self.numbered(1, 2, 3)))
        self.write(dropped=[7])
        self.assertEqual(loading.last_number(self.file), 7)
