"""engine/sqlite/repair.py: a good file of what can be read; the damaged one is kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from stomp_tx.engine.sqlite import repair as repairing
from stomp_tx.engine.sqlite import repair_copy
from stomp_tx.engine.sqlite.check import check
from stomp_tx.engine.sqlite.repair import repair
from stomp_tx.engine.sqlite.salvage import HIGHEST, Gap
from stomp_tx.errors import ConfigurationError, EngineError, StompError
from stomp_tx.message import Outcome
from tests.engine.sqlite.damaged import GARBAGE, Damaged, body, damage, page_of
from tests.engine.sqlite.kept import python

EVERYTHING = 1000
ROW = "WHERE queue = 1 AND substr(body, 1, 6) = CAST('a-0060' AS BLOB)"


class RepairTests(Damaged):
    def repaired(self) -> Any:
        """Then a broker has the file again."""
        self.dies()
        found = repair(self.path)
        self.open()
        return found

    def everything(self, queue: str = "/queue/a") -> list[int]:
        return self.which(self.taker(EVERYTHING, queue))

    def test_a_queue_goes_on_behind_the_damage(self) -> None:
        for how in GARBAGE:
            self.afresh()
            self.damaged(60, how=how)
            taker = self.taker(EVERYTHING)
            before = self.which(taker)
            self.append("new")  # it waits behind the damage
            found = self.repaired()
            (loss,) = found.losses
            self.assertEqual(loss.queue, "/queue/a")
            new = self.taker(EVERYTHING)
            self.assertEqual(new.got.pop().body, b"new")
            after = self.which(new)
            self.assertEqual(sorted(after), after)
            self.assertTrue(set(before) <= set(after))
            self.assertEqual(after[-1], self.COUNT - 1)
            self.assertEqual(len(after), self.COUNT - loss.messages, how)
            self.assertTrue(0 < loss.messages < 20, (how, loss))
            self.assertEqual(self.everything("/queue/b"), list(range(self.COUNT)))
            self.assertEqual((found.messages, found.queues), (2 * self.COUNT + 1 - loss.messages, 2))
            self.assertEqual(check(self.path).problems, [])

    def test_the_damaged_file_is_kept_as_it_was(self) -> None:
        self.damaged(60)
        self.stops()
        before = Path(self.path).read_bytes()
        self.assertEqual(repair(self.path).kept, f"{self.path}.damaged")  # type: ignore[union-attr]
        self.assertEqual(Path(f"{self.path}.damaged").read_bytes(), before)
        self.assertEqual(self.names(), {"stomp.db", "stomp.db.lock", "stomp.db.damaged"})
        self.hit(10)
        self.assertEqual(repair(self.path).kept, f"{self.path}.damaged-2")  # type: ignore[union-attr]
        self.assertEqual(Path(f"{self.path}.damaged").read_bytes(), before)

    def test_a_good_one_is_left_alone(self) -> None:
        self.fill()
        self.stops()
        before = self.digests()
        self.assertIsNone(repair(self.path))
        self.assertEqual({**self.digests(), "stomp.db.lock": ""}, {**before, "stomp.db.lock": ""})

    def test_not_while_a_broker_runs(self) -> None:
        self.damaged(60)
        before = Path(self.path).read_bytes()
        self.assertIn("another broker uses", self.refused(repair, self.path))
        self.assertEqual(Path(self.path).read_bytes(), before)

    def test_what_a_killed_broker_has_left_in_its_log_is_in_it(self) -> None:
        self.damaged(60)
        taker = self.taker(5)
        self.engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.append("new")
        self.repaired()
        after = self.taker(EVERYTHING)
        self.assertEqual(after.got.pop().body, b"new")
        self.assertEqual(self.which(after)[:5], [1, 2, 3, 4, 5])
        self.assertEqual([message.attempts for message in after.got[:4]], [1] * 4)

    def test_a_head_that_is_none_and_values_that_none_can_have(self) -> None:
        for change in (
            *("head = x'ff00'", "attempts = -1", "expires = 'x'", "persistent = 7", "body = NULL"),
            *("size = ~(1 << 63)", "expires = ~(1 << 63)", "attempts = CAST(x'ff' AS TEXT)"),
        ):
            self.afresh()
            self.fill()
            self.stops()
            try:
                self.execute(f"UPDATE message SET {change} {ROW}")
            except Exception as error:
                self.assertIn("NOT NULL", str(error))
                self.open()
                continue
            position = self.of_row(60)
            found = repair(self.path)
            assert found is not None
            self.assertEqual(
                [(one.messages, one.places) for one in found.losses], [(1, [Gap(position, position)])]
            )
            self.open()
            self.assertEqual(self.everything(), [one for one in range(self.COUNT) if one != 60])

    def test_counters_that_are_wrong(self) -> None:
        self.fill()
        self.stops()
        self.execute("UPDATE queue SET length = length - 3, octets = 7 WHERE number = 1")
        self.execute(f"DELETE FROM message {ROW.replace('queue = 1', 'queue = 2').replace('a-', 'b-')}")
        found = self.repaired()
        self.assertEqual(
            [(one.queue, one.messages, one.places) for one in found.losses], [("/queue/b", 1, [])]
        )
        self.assertEqual(check(self.path).problems, [])
        self.assertEqual(len(self.everything()), self.COUNT)
        self.assertEqual(len(self.everything("/queue/b")), self.COUNT - 1)

    def test_a_queue_whose_name_is_lost_has_another(self) -> None:
        self.fill()
        self.stops()
        self.execute("DELETE FROM queue WHERE number = 1")
        found = self.repaired()
        self.assertEqual(found.unnamed, ["/queue/repaired.1"])
        self.assertEqual(self.everything("/queue/repaired.1"), list(range(self.COUNT)))

    def test_names_and_topics_that_are_no_addresses(self) -> None:
        self.engine.bind("/dsub/s", "/topic/t")
        self.append("1", address="/topic/t")
        self.engine.publish(self.message("2", "/topic/t"))
        self.fill("a")
        self.stops()
        self.execute("UPDATE queue SET name = '/px/queue/a' WHERE name = '/queue/a'")
        self.execute("UPDATE queue SET topic = 'x' WHERE name = '/dsub/s'")
        found = self.repaired()
        (name,) = found.unnamed
        self.assertEqual(self.everything(name), list(range(self.COUNT)))
        self.assertEqual(found.unbound, ["/dsub/s"])
        self.engine.bind("/dsub/s", "/topic/t")
        self.assertEqual(self.taker(EVERYTHING, "/dsub/s").bodies(), [b"2"])

    def test_a_file_that_ends_too_soon(self) -> None:
        self.fill()
        self.stops()
        size = os.path.getsize(self.path)
        os.truncate(self.path, size - size // 3)
        found = self.repaired()
        self.assertGreater(found.messages, self.COUNT // 2)
        self.assertEqual(found.messages + sum(loss.messages for loss in found.losses), 2 * self.COUNT)
        self.assertEqual(len(self.everything()) + len(self.everything("/queue/b")), found.messages)

    def test_the_same_page_in_two_places(self) -> None:
        self.fill()
        self.stops()
        whole = bytearray(Path(self.path).read_bytes())
        for number in (20, 50, 80):
            one, other = page_of(self.path, body("a", number)), page_of(self.path, body("a", number + 20))
            whole[one * 4096 : one * 4096 + 4096] = whole[other * 4096 : other * 4096 + 4096]
        Path(self.path).write_bytes(whole)
        found = self.repaired()
        after = self.everything()
        self.assertEqual(after, sorted(set(after)))
        self.assertEqual(len(after) + sum(loss.messages for loss in found.losses), self.COUNT)

    def test_a_queue_that_is_there_though_it_is_said_to_be_removed(self) -> None:
        self.fill()
        self.stops()
        self.execute("INSERT INTO doomed VALUES (1)")
        self.repaired()
        self.assertEqual(self.everything(), list(range(self.COUNT)))

    def test_messages_of_numbers_that_no_queue_has(self) -> None:
        self.fill()
        self.stops()
        self.execute(f"UPDATE message SET queue = ~(1 << 63) {ROW}")
        found = self.repaired()
        self.assertEqual([(loss.queue, loss.messages) for loss in found.losses], [("/queue/a", 1)])
        self.assertEqual(len(self.everything()), self.COUNT - 1)

    def test_bindings_priorities_names_and_numbers_are_as_they_were(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.fill("a")
        self.append("9", priority=9, dedupe="x")
        self.stops()
        self.hit(60)
        self.repaired()
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t"})
        self.append("again", dedupe="x")
        taker = self.taker(EVERYTHING)
        self.assertEqual(taker.got[0].body, b"9")
        self.assertNotIn(b"again", taker.bodies())

    def test_names_for_de_duplication_that_are_lost_are_told(self) -> None:
        for number in range(300):
            self.append("x", dedupe=f"name-{number}-" + "y" * 100, address="/queue/c")
        self.stops()
        whole = Path(self.path).read_bytes()
        pages = {
            place // 4096 for place in range(0, len(whole), 64) if b"name-150-" in whole[place : place + 64]
        }
        for page in pages:
            damage(self.path, page, "noise")
        found = self.repaired()
        self.assertEqual((found.names_lost, found.messages), (True, 300))
        self.assertEqual(check(self.path).problems, [])

    def test_what_has_spilled_is_no_loss(self) -> None:
        self.reopens(overflow="spill", total_octets=1000)
        for number in range(60):
            self.append(body("a", number), persistent=number % 2 == 0)
        self.settle_in()
        self.hit(20)
        found = self.repaired()
        (loss,) = found.losses
        self.assertTrue(loss.messages < 20)
        self.assertEqual(found.messages, len(self.everything()))

    def test_its_mode_stays(self) -> None:
        self.damaged(60)
        self.stops()
        os.chmod(self.path, 0o640)
        repair(self.path)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)

    def test_where_files_have_one_name_each(self) -> None:
        self.damaged(60)
        self.stops()

        def refuse(*names: str) -> None:
            raise PermissionError(1, "Operation not permitted")

        self.patch(os, "link", refuse)
        before = Path(self.path).read_bytes()
        repair(self.path)
        self.assertEqual(Path(f"{self.path}.damaged").read_bytes(), before)
        self.assertEqual(check(self.path).problems, [])

    def test_interrupted_or_without_room_all_is_as_it_was(self) -> None:
        self.damaged(60)
        self.stops()
        before = self.digests()

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        self.patch(repair_copy, "AT_ONCE", 10)
        with self.assertRaises(KeyboardInterrupt):
            repair(self.path, interrupt)
        self.assertEqual({**self.digests(), "stomp.db.lock": ""}, {**before, "stomp.db.lock": ""})
        usage = repairing.shutil.disk_usage
        self.patch(repairing.shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
        self.assertIn("the disk has no room", self.refused(repair, self.path))
        self.assertEqual({**self.digests(), "stomp.db.lock": ""}, {**before, "stomp.db.lock": ""})

    def test_what_a_killed_one_has_left_is_in_nobody_s_way(self) -> None:
        self.damaged(60)
        self.stops()
        for name in (".repaired", ".repaired-journal"):
            Path(self.path + name).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(5000))
        usage = repairing.shutil.disk_usage
        left = os.path.exists

        def free(path: str) -> Any:
            return usage(path)._replace(free=0 if left(f"{self.path}.repaired") else 10**9)

        self.patch(repairing.shutil, "disk_usage", free)
        self.assertIsNotNone(repair(self.path))
        self.assertEqual(self.names(), {"stomp.db", "stomp.db.lock", "stomp.db.damaged"})

    def test_where_what_is_repaired_can_not_be_written(self) -> None:
        self.damaged(60)
        self.stops()
        before = self.digests()
        code = (
            "import resource, sys; from stomp_tx.engine.sqlite.repair import repair\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))\n"
            "try: repair(sys.argv[1])\n"
            "except Exception as error: print(error.line)"
        )
        told = python(code, self.path).stdout
        self.assertIn(f"can't write {os.path.realpath(self.path)}.repaired: ", told)
        self.assertIn("make room", told)
        self.assertEqual({**self.digests(), "stomp.db.lock": ""}, {**before, "stomp.db.lock": ""})

    def test_a_file_of_which_nothing_is_left(self) -> None:
        self.fill()
        self.stops()
        for page in range(1, self.size()):
            damage(self.path, page, "noise")
        found = self.repaired()
        self.assertEqual(found.messages, 0)
        self.append("new")
        self.assertEqual(self.taker(EVERYTHING).bodies(), [b"new"])

    def test_a_file_that_is_none_of_ours_or_has_no_beginning(self) -> None:
        self.assertIn("there is no", self.refused(repair, self.target("none.db")))
        self.fill()
        self.stops()
        damage(self.path, 0, "noise")
        before = Path(self.path).read_bytes()
        with self.assertRaises((ConfigurationError, EngineError)):
            repair(self.path)
        self.assertEqual(Path(self.path).read_bytes(), before)

    def test_all_of_a_queue(self) -> None:
        self.fill("a")
        self.stops()
        for page in range(self.size()):
            if b"a-0" in Path(self.path).read_bytes()[page * 4096 : page * 4096 + 4096]:
                damage(self.path, page, "zeroes")
        found = self.repaired()
        self.assertEqual(
            [(one.messages, one.places) for one in found.losses], [(self.COUNT, [Gap(1, HIGHEST)])]
        )


class AnyPageTests(Damaged):
    COUNT = 30

    def test_whichever_page_is_hit_the_file_is_good_again_and_what_could_be_delivered_can_be(self) -> None:
        self.fill("a", "b", expires=10**12)
        self.append("t", dedupe="name", address="/queue/c")
        self.stops()
        whole = Path(self.path).read_bytes()
        ways = list(GARBAGE)
        for page in range(1, self.size()):
            for how in (ways[page % len(ways)], ways[(page + 2) % len(ways)]):
                for name in self.names():
                    os.unlink(self.target(name))
                Path(self.path).write_bytes(whole)
                damage(self.path, page, how)
                got = {}
                try:
                    self.open()
                except StompError:
                    pass
                else:
                    for queue in ("/queue/a", "/queue/b", "/queue/c"):
                        taker = self.taker(EVERYTHING, queue)
                        self.sweep()
                        got[queue] = [message.body for message in taker.got]
                self.dies()
                repair(self.path)
                self.assertEqual(check(self.path).problems, [], (page, how))
                self.open()
                for queue, bodies in got.items():
                    again = self.taker(EVERYTHING, queue).bodies()
                    self.assertTrue(
                        set(bodies) <= set(again) or not self.engine._lanes.get(queue), (page, how)
                    )
                self.dies()
