"""Damage: a queue stands still where its part of the file is damaged, says so, and others go on."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads
from stomp_tx.engine.sqlite.damage import is_damage
from stomp_tx.errors import EngineError, StompError
from stomp_tx.message import Batch, Message, Outcome
from tests.engine.contract import Taker
from tests.engine.sqlite.damaged import GARBAGE, Damaged, body, damage

EVERYTHING = 1000
ROW = "WHERE queue = 1 AND substr(body, 1, 6) = CAST('a-0060' AS BLOB)"


class KindTests(Damaged):
    def test_what_may_go_by_is_no_damage(self) -> None:
        for error in (
            sqlite3.OperationalError("disk I/O error"),
            sqlite3.OperationalError("database is locked"),
            sqlite3.OperationalError("database or disk is full"),
            sqlite3.IntegrityError("UNIQUE constraint failed"),
            sqlite3.ProgrammingError("closed"),
        ):
            self.assertFalse(is_damage(error), error)
        for error in (
            sqlite3.DatabaseError("database disk image is malformed"),
            sqlite3.DataError("too big"),
        ):
            self.assertTrue(is_damage(error), error)


class ReadTests(Damaged):
    def test_it_stands_still_there_and_others_go_on(self) -> None:
        for how in GARBAGE:
            self.afresh()
            self.damaged(60, how=how)
            taker, other = self.taker(EVERYTHING), self.taker(EVERYTHING, "/queue/b")
            got = self.which(taker)
            if how == "fewer rows":  # SQLite finds no fault with it: that some are missing shows at the end
                self.assertEqual(sorted(got), got)
                self.assertIn("of its messages are missing", self.logged[0])
            else:
                self.assertEqual(got, list(range(len(got))))
                self.assertTrue(50 < len(got) < 68, (how, len(got)))
            self.assertEqual(self.which(other), list(range(self.COUNT)), how)
            (line,) = self.logged
            self.assertTrue(line.startswith(f"/queue/a stands still: {self.path} is damaged: "), line)
            self.assertIn(f"`stomp-tx check {self.path}`", line)
            self.assertIn(f"`stomp-tx repair {self.path}`", line)
            ((queue, position, why),) = self.told
            self.assertEqual((queue, position), ("/queue/a", taker.got[-1].position))
            self.assertTrue(why)

    def test_damaged_under_a_broker_that_runs(self) -> None:
        self.fill()
        self.settle_in()
        self.hit(60)
        taker = self.taker(EVERYTHING)
        self.assertTrue(40 < len(taker.got) <= 60, len(taker.got))
        self.append("more", address="/queue/b")
        self.assertEqual(len(self.taker(EVERYTHING, "/queue/b").got), self.COUNT + 1)
        self.assertEqual(len(self.told), 1)

    def test_the_last_one_in_front_of_it_is_delivered_too(self) -> None:
        self.damaged(60)
        taker = self.taker(EVERYTHING)
        with (
            sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as connection,
            self.assertRaises(sqlite3.DatabaseError),
        ):
            connection.execute(
                "SELECT min(position) FROM message WHERE queue = 1 AND position > ?",
                (taker.got[-1].position,),
            ).fetchone()

    def test_what_comes_is_stored_and_waits_behind_it(self) -> None:
        self.damaged(60)
        taker = self.taker(EVERYTHING)
        before = len(taker.got)
        safe = self.engine.append(self.message("new"))
        self.engine.append(self.message("does not persist", persistent=False))
        self.turn()
        assert safe is not None
        self.successResultOf(safe)
        self.sweep()
        self.assertEqual(len(taker.got), before)
        self.dies()
        with sqlite3.connect(self.path) as connection:
            found = connection.execute("SELECT body FROM message WHERE queue = 1 ORDER BY position DESC")
            self.assertEqual(found.fetchone(), (b"new",))

    def test_a_head_that_is_none_stops_it_as_well(self) -> None:
        for head in (b"", b"id\0/queue/a\0name", b"id\0\xff", "text"):
            self.afresh()
            self.fill()
            self.changed(
                f"UPDATE message SET head = ? {ROW}",
                head,
            )
            taker = self.taker(EVERYTHING)
            self.assertEqual(self.which(taker), list(range(60)))
            self.assertIn("malformed" if isinstance(head, bytes) else "no headers", self.logged[0])
            self.assertEqual(self.told[0][:2], ("/queue/a", taker.got[-1].position))

    def test_numbers_that_are_none(self) -> None:
        for column in ("attempts", "expires", "size"):
            self.afresh()
            self.fill()
            self.changed(f"UPDATE message SET {column} = 'x' {ROW}")
            self.assertEqual(self.which(self.taker(EVERYTHING)), list(range(60)))
            self.assertEqual(len(self.told), 1)

    def test_rows_that_are_gone_are_missed_at_the_end(self) -> None:
        self.fill()
        self.changed(f"DELETE FROM message {ROW}")
        taker = self.taker(EVERYTHING)
        self.assertEqual(len(taker.got), self.COUNT - 1)
        self.assertIn("1 of its messages are missing", self.logged[0])
        self.append("new")
        for _ in range(200):
            self.sweep()
        self.assertEqual(len(taker.got), self.COUNT - 1)
        self.assertEqual(len(self.told), 1)

    def test_more_than_it_says_are_delivered_all_the_same(self) -> None:
        for told in (0, 1, 50, self.COUNT - 1):
            self.afresh()
            self.fill()
            self.changed("UPDATE queue SET length = ? WHERE number = 1", told)
            self.patch(row_reads, "PAGE", 30)
            if not told:
                self.append("new")  # (with nothing that it says it has, nobody looks)
            taker = self.taker(EVERYTHING)
            if told:
                self.assertEqual(self.which(taker), list(range(self.COUNT)))
                self.assertEqual([line for line in self.logged if "more messages" not in line], [])
                self.assertEqual(len(self.logged), 1)

    def test_the_log_reminds_each_hour(self) -> None:
        self.damaged(60)
        self.taker(EVERYTHING)
        for _ in range(130):
            self.sweep(60)
        self.assertEqual(len(self.logged), 3)
        self.assertEqual(len(self.told), 1)

    def test_whoever_asks_again_and_again_makes_nobody_read_it_again(self) -> None:
        self.damaged(60)
        taker = self.taker(50)
        reads: list[Any] = []
        page = row_reads.page

        def counted(*which: Any) -> row_reads.Page:
            reads.append(which)
            return page(*which)

        self.patch(row_reads, "page", counted)
        for _ in range(500):
            taker.claim.request(1)
            list(self.engine.browse("/queue/a", taker.got[-1].position))
        for _ in range(59):
            self.sweep()
        self.assertTrue(len(reads) < 10, len(reads))
        self.sweep(61)
        self.assertTrue(len(reads) < 12, len(reads))

    def test_mended_it_goes_on_within_a_minute(self) -> None:
        self.fill()
        self.changed(f"UPDATE message SET head = CAST(x'00' || head AS BLOB) {ROW}")
        taker = self.taker(EVERYTHING)
        self.assertEqual(len(taker.got), 60)
        self.execute(f"UPDATE message SET head = substr(head, 2) {ROW}")
        self.sweep(61)
        self.assertEqual(self.which(taker), list(range(self.COUNT)))
        self.assertEqual(len(self.told), 1)

    def test_who_looks_through_it_sees_what_is_in_front_and_picks_nothing_behind(self) -> None:
        self.damaged(60)
        looking = Taker(self.engine, "/queue/a")
        seen: list[Any] = []
        looking.claim.watch(seen.append)
        found = [message for page in self.engine.browse("/queue/a") for message in page]
        self.assertTrue(40 < len(found) <= 60)
        new = self.message("new", persistent=False)
        self.engine.append(new)
        self.turn()
        self.assertEqual(seen[-1], (new,))
        self.assertIsNone(looking.claim.pick(new))
        self.assertIsNone(looking.claim.pick(found[-1]))  # not before the file says that it may be
        self.turn()
        self.assertTrue(looking.claim.pick(found[-1]))
        self.assertNotIn(None, seen)

    def test_one_that_is_dropped_is_no_more_in_anybody_s_way(self) -> None:
        self.damaged(60)
        taker = self.taker(EVERYTHING)
        taker.claim.stop()
        self.engine.delete("/queue/a")
        self.turn()
        self.append("new")
        self.assertEqual(self.taker(EVERYTHING).bodies(), [b"new"])
        for _ in range(120):
            self.sweep(60)
        self.assertEqual(len(self.logged), 2)
        self.assertIn("what is left of queues that are no more", self.logged[1])
        self.reopens()
        taker = self.taker(EVERYTHING)
        self.sweep()
        self.assertEqual(taker.bodies(), [b"new"])

    def test_what_has_expired_behind_it_is_taken_out_as_far_as_can_be(self) -> None:
        self.damaged(60, expires=2_000_000)
        self.taker(EVERYTHING)
        self.seconds = 2001.0
        for _ in range(5):
            self.sweep()
        self.assertTrue(len(self.logged) <= 3, self.logged)
        other = self.taker(EVERYTHING, "/queue/b")
        self.assertEqual(other.got, [])


class FailingDiskTests(Damaged):
    def setUp(self) -> None:
        super().setUp()
        self.fails = False
        self.reads = 0
        page = row_reads.page

        def read(*which: Any) -> row_reads.Page:
            self.reads += 1
            if self.fails:
                raise sqlite3.OperationalError("disk I/O error")
            return page(*which)

        self.patch(row_reads, "page", read)
        self.patch(row_reads, "PAGE", 10)
        self.patch(stored, "LOW", 5)

    def test_it_is_tried_again_each_second_and_is_no_damage(self) -> None:
        self.fill()
        taker = self.taker(5)
        self.fails, self.reads = True, 0
        taker.claim.request(EVERYTHING)
        for _ in range(100):
            taker.claim.request(1)
            self.turn()
        self.assertEqual((self.reads, len(taker.got)), (1, 20))
        self.append("new", persistent=False)
        self.sweep()
        self.assertEqual((self.reads, len(taker.got), self.told), (2, 20, []))  # nor has it been overtaken
        self.assertEqual(len(self.logged), 1)
        self.assertIn("can't be read", self.logged[0])
        self.fails = False
        self.sweep()
        self.assertEqual(taker.got.pop().body, b"new")
        self.assertEqual(self.which(taker), list(range(self.COUNT)))

    def test_who_looks_through_it_looks_again(self) -> None:
        self.fill()
        self.fails = True
        looking = Taker(self.engine, "/queue/a")
        seen: list[Any] = []
        looking.claim.watch(seen.append)
        found = [message for page in self.engine.browse("/queue/a") for message in page]
        self.assertEqual(len(found), 20)
        self.fails = False
        self.sweep()
        self.assertIn(None, seen)
        found = [message for page in self.engine.browse("/queue/a") for message in page]
        self.assertEqual(len(found), self.COUNT)


class WriteTests(Damaged):
    """Next to the damage nothing can be removed: SQLite would have to move rows to the damaged page."""

    def outcome(self, safe: Any) -> str:
        return self.outcomes(safe)[0]

    def outcomes(self, *together: Any) -> list[str]:
        told = ["nothing yet"] * len(together)

        def note(result: Any, place: int) -> Any:
            told[place] = "safe" if result is None else str(result.value)
            return result

        for place, safe in enumerate(together):
            safe.addBoth(note, place)
        self.turn()
        return told

    def accept(self, message: Message) -> str:
        return self.outcome(self.engine.settle(message, Outcome.ACCEPTED))

    def accept_all(self, taker: Any) -> list[str]:
        return [self.accept(message) for message in list(taker.got)]

    def near(self) -> tuple[Any, list[str]]:
        """Who was given all that there is in front of the damage, and how accepting it went."""
        self.damaged(60)
        taker = self.taker(EVERYTHING)
        outcomes = self.accept_all(taker)
        self.assertEqual(set(outcomes[:30]), {"safe"})
        self.assertNotEqual(outcomes[-1], "safe")
        return taker, outcomes

    def test_it_stands_still_and_whoever_accepts_is_told(self) -> None:
        taker, outcomes = self.near()
        self.assertIn("what is acknowledged can't be removed", self.logged[-1])
        self.assertTrue(all("damaged" in one for one in outcomes if one != "safe"), outcomes)
        before = len(taker.got)
        for _ in range(5):
            self.sweep(61)
        self.assertEqual(len(taker.got), before)  # what was put back does not come again and again
        self.assertEqual(len(self.logged), 2)
        left = [message.split("-")[1] for message, _ in self.left()]
        self.assertEqual(left[0], f"{outcomes.count('safe'):04}")

    def test_the_next_groups_of_others_are_written(self) -> None:
        self.near()
        taker = self.taker(EVERYTHING, "/queue/b")
        self.assertEqual(set(self.accept_all(taker)), {"safe"})
        self.assertEqual(self.outcome(self.engine.append(self.message("x", "/queue/c"))), "safe")

    def test_a_group_with_others_fails_once(self) -> None:
        self.damaged(60)
        taker, other = self.taker(EVERYTHING), self.taker(EVERYTHING, "/queue/b")
        failed = 0
        for mine, theirs in zip(list(taker.got), list(other.got), strict=False):
            self.engine.settle(mine, Outcome.ACCEPTED)
            failed += self.accept(theirs) != "safe"
        self.assertEqual(failed, 1)

    def test_it_takes_messages_still(self) -> None:
        taker, _ = self.near()
        before = len(taker.got)
        self.assertEqual(self.outcome(self.engine.append(self.message("new"))), "safe")
        self.assertEqual(len(taker.got), before)

    def test_batches_with_it_fail_as_a_whole(self) -> None:
        taker, _ = self.near()
        last = taker.got[-1]
        batch = Batch([self.message("no", "/queue/c")], [(last, Outcome.ACCEPTED)])
        self.assertIn("damaged", self.outcome(self.engine.commit(batch)))
        batch = Batch([self.message("yes", "/queue/c")], [])
        self.assertEqual(self.outcome(self.engine.commit(batch)), "safe")
        self.assertEqual(self.taker(EVERYTHING, "/queue/c").bodies(), [b"yes"])

    def test_what_nobody_waits_for_is_left_there(self) -> None:
        """Deliveries that are done with when they are sent: nothing of them is in others' way."""
        self.damaged(60)
        self.taker(EVERYTHING, done=True)
        for _ in range(5):
            self.sweep()
        self.assertEqual(self.outcome(self.engine.append(self.message("x", "/queue/c"))), "safe")
        self.assertTrue(len(self.logged) <= 2, self.logged)

    def test_where_nothing_can_be_added_each_send_fails_alone(self) -> None:
        self.damaged(self.COUNT - 1, queue="b")
        self.assertIn("damaged at the end of it", self.logged[0])
        first = self.outcome(self.engine.append(self.message("no", "/queue/b", dedupe="x")))
        self.assertIn("damaged", first)
        self.assertIn("nothing can be added to it", self.logged[-1])
        for _ in range(3):
            no = self.engine.append(self.message("no", "/queue/b", dedupe="x"))
            yes = self.engine.append(self.message("yes", "/queue/a"))
            told = self.outcomes(no, yes)
            self.assertEqual(("damaged" in told[0], told[1]), (True, "safe"))
        why = self.outcome(self.engine.append(self.message("no", "/queue/b")))
        self.assertEqual(why, "/queue/b can't be stored: the broker's file is damaged")
        self.assertTrue(len(self.taker(EVERYTHING, "/queue/b").got) > 90)  # what is in front is delivered

    def test_nor_is_anything_published_to_a_durable_subscription_that_can_t_have_it(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.turn()
        for number in range(self.COUNT):
            self.engine.publish(self.message(body("a", number), "/topic/t"))
        self.turn()
        self.stops()
        self.hit(self.COUNT - 1)
        self.open()
        heard: list[Message] = []
        self.engine.listen("/topic/t", heard.append)
        self.assertIn("damaged", self.outcome(self.engine.publish(self.message("no", "/topic/t"))))
        self.assertIn("damaged", self.outcome(self.engine.publish(self.message("no", "/topic/t"))))
        self.assertEqual(heard, [])

    def test_a_duplicate_is_not_safe_when_its_first_is_not(self) -> None:
        self.damaged(self.COUNT - 1, queue="b")
        self.outcome(self.engine.append(self.message("no", "/queue/b")))
        first = self.engine.append(self.message("no", "/queue/b", dedupe="x"))
        second = self.engine.append(self.message("no", "/queue/b", dedupe="x"))
        told = self.outcomes(first, second)
        self.assertTrue(all("damaged" in one for one in told), told)


class StartTests(Damaged):
    def test_a_queue_whose_end_is_damaged_keeps_nobody_from_starting(self) -> None:
        self.damaged(self.COUNT - 1, queue="b")
        self.assertGreater(self.engine.last_position, 2**40)
        self.assertEqual(len(self.taker(EVERYTHING).got), self.COUNT)

    def test_its_numbers_are_nobody_else_s(self) -> None:
        self.fill()
        self.changed("DELETE FROM queue WHERE number = 2")
        self.append("x", address="/queue/c")
        self.assertEqual(self.taker(EVERYTHING, "/queue/c").bodies(), [b"x"])
        self.assertEqual(self.engine._lanes["/queue/c"].number, 3)

    def test_killed_what_may_have_been_handed_out_has_an_attempt_more(self) -> None:
        self.reopens(window_length=100)
        self.fill()
        self.taker(10)
        self.settle_in()
        self.hit(40)
        self.dies()
        self.open()
        for _ in range(2):
            taker = self.taker(EVERYTHING)
            self.assertTrue(20 < len(taker.got) <= 40)
            self.assertEqual({message.attempts for message in taker.got}, {1})
            taker.claim.stop()
            self.reopens()
        self.stops()
        self.open()
        self.assertEqual({message.attempts for message in self.taker(EVERYTHING).got}, {1})

    def test_what_has_spilled_goes_where_it_can(self) -> None:
        self.reopens(overflow="spill", total_octets=1000)
        for number in range(40):
            for queue in "ab":
                self.append(body(queue, number), address=f"/queue/{queue}", persistent=number % 2 == 0)
        self.settle_in()
        self.hit(20)
        self.dies()
        self.open()
        got = self.which(self.taker(EVERYTHING, "/queue/b"))
        self.assertEqual(got, list(range(0, 40, 2)))

    def test_a_table_that_is_damaged_is_said_to_be(self) -> None:
        self.stops()
        self.execute("INSERT INTO queue VALUES (1, CAST(x'ff' AS TEXT), NULL, 0, 0, 0)")
        error = self.assertRaises(EngineError, self.open)
        self.assertIn("is damaged", str(error))
        for change in (
            *("name = '/queue/a', length = 'x'", "length = 0, octets = 1 << 62"),
            *(
                "octets = 0, mark = 1 << 63",
                "mark = 0, name = '/px/queue/a'",
                "name = '/p'",
                "name = '//h/queue'",
                "name = '/dsu/a'",
            ),
            *("name = '/dsub/a', topic = 'a'", "topic = x'ff'", "topic = '/queue/a'", "topic = ''"),
        ):
            self.execute(f"UPDATE queue SET {change}")
            error = self.assertRaises(EngineError, self.open)
            self.assertIn("queue 1 is malformed", str(error), change)

    def test_positions_that_none_can_have_keep_nobody_from_starting(self) -> None:
        self.fill("a", "b")
        self.stops()
        odd = ("x'ff'", "'x'", "CAST(x'ff' AS TEXT)", "(1 << 62) + 7", "~(1 << 63)")
        for row, position in enumerate(odd):
            self.execute(f"UPDATE message SET position = {position} {ROW.replace('0060', f'006{row}')}")
        self.open()
        self.assertEqual(self.which(self.taker(EVERYTHING, "/queue/b")), list(range(self.COUNT)))
        self.append("new", address="/queue/b")
        self.assertEqual(self.which(self.taker(EVERYTHING))[-1], self.COUNT - 1)
        self.assertIn("5 of its messages are missing", self.logged[-1])
        self.stops()
        self.open()
        self.assertEqual(self.taker(EVERYTHING, "/queue/b").got[-1].body, b"new")

    def test_numbers_of_queues_that_none_can_have_are_not_gone_on_with(self) -> None:
        self.fill()
        self.changed(f"UPDATE message SET queue = ~(1 << 63) {ROW}")
        self.append("x", address="/queue/c")
        self.assertEqual(self.taker(EVERYTHING, "/queue/c").bodies(), [b"x"])

    def test_a_time_that_none_can_have_is_not_gone_on_with(self) -> None:
        self.append("1", dedupe="x", expires=10**12)
        self.stops()
        self.execute("UPDATE seen SET time = 9e999")
        self.changed("UPDATE message SET expires = 'x'")
        self.append("2", dedupe="y")
        self.append("3", address="/queue/b", dedupe="y")
        self.assertEqual(self.taker(queue="/queue/b").bodies(), [b"3"])

    def test_text_that_is_none_is_damage_of_its_queue(self) -> None:
        self.fill()
        self.changed(f"UPDATE message SET attempts = CAST(x'ff' AS TEXT) {ROW}")
        self.assertEqual(len(self.taker(EVERYTHING).got), 60)
        self.assertIn("/queue/a stands still", self.logged[0])

    def test_a_selector_that_is_no_text_is_told_and_its_queue_keeps_all(self) -> None:
        for value in ("CAST(x'61ff' AS TEXT)", "x'61'"):
            self.afresh()
            self.engine.bind("/dsub/a", "/topic/t", "x = '1'")
            self.engine.bind("/dsub/b", "/topic/t", "x = '2'")
            self.stops()
            self.changed(f"UPDATE selector SET text = {value} WHERE queue = 1")
            self.assertIn("the selector of /dsub/a can't be read", self.logged[0])
            self.assertEqual(self.engine.selectors, {"/dsub/b": "x = '2'"})
            self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t", "/dsub/b": "/topic/t"})


class AnyPageTests(Damaged):
    COUNT = 30

    def test_whichever_page_is_hit_no_queue_ends_in_silence(self) -> None:
        self.fill("a", "b", expires=10**12)
        self.append("t", dedupe="name", address="/queue/c")
        self.stops()
        whole = Path(self.path).read_bytes()
        owed = {"/queue/a": self.COUNT, "/queue/b": self.COUNT, "/queue/c": 1}
        for page in range(self.size()):
            for how in GARBAGE:
                Path(self.path).write_bytes(whole)
                damage(self.path, page, how)
                self.logged.clear()
                try:
                    self.open()
                except StompError:
                    continue  # it says so, and does not start
                for queue, count in owed.items():
                    taker = self.taker(EVERYTHING, queue)
                    self.sweep()
                    if queue != "/queue/c":
                        got = self.which(taker)
                        self.assertEqual(sorted(set(got)), got, (page, how))
                    if len(taker.got) < count:
                        told = " ".join(self.logged)
                        found = f"{queue} " in told or "the name of a queue" in told
                        self.assertTrue(found, (page, how, len(taker.got), told))
                self.dies()
