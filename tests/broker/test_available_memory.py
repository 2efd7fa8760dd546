"""broker/available_memory.py: what the machine and the control group say."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker import available_memory as module
from stomp_tx.broker.available_memory import available_memory, default_memory
from tests.scratch import scratch

GIB = 1024**3


class AvailableMemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(module, "_physical", lambda: 8 * GIB)
        self.root: Path = scratch(self)

    def says(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_without_a_control_group_it_is_the_machines(self) -> None:
        self.assertEqual(available_memory(str(self.root)), 8 * GIB)

    def test_a_group_of_version_2_or_one_around_it(self) -> None:
        self.says("proc/self/cgroup", "0::/system.slice/stomp.service\n")
        self.says("sys/fs/cgroup/system.slice/stomp.service/memory.max", "max\n")
        self.assertEqual(available_memory(str(self.root)), 8 * GIB)
        self.says("sys/fs/cgroup/system.slice/memory.max", f"{GIB}\n")
        self.assertEqual(available_memory(str(self.root)), GIB)

    def test_a_container_that_sees_its_group_as_the_root(self) -> None:
        self.says("proc/self/cgroup", "0::/docker/0123\n")
        self.says("sys/fs/cgroup/memory.max", f"{GIB}\n")
        self.assertEqual(available_memory(str(self.root)), GIB)

    def test_a_group_of_version_1(self) -> None:
        self.says("proc/self/cgroup", "5:cpu,memory:/a\n0::/\n")
        self.says("sys/fs/cgroup/memory/a/memory.limit_in_bytes", f"{2 * GIB}\n")
        self.assertEqual(available_memory(str(self.root)), 2 * GIB)
        self.says("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n")  # none
        self.assertEqual(available_memory(str(self.root)), 8 * GIB)

    def test_the_default_is_a_part_of_it_and_never_too_little(self) -> None:
        self.says("proc/self/cgroup", "0::/\n")
        self.says("sys/fs/cgroup/memory.max", f"{GIB}\n")
        self.assertEqual(default_memory(str(self.root)), 409 << 20)
        default_memory.cache_clear()
        self.says("sys/fs/cgroup/memory.max", "100000000\n")
        self.assertEqual(default_memory(str(self.root)), 256 << 20)
