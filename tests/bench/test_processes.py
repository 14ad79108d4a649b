# SPDX-License-Identifier: Apache-2.0
"""What the suite reads from the kernel and puts on the wire."""
import os
import unittest

from bench.suite import probe, runner, servers


class Kernel(unittest.TestCase):
    def test_cpu_time_of_a_name_with_spaces_and_brackets(self):
        fields = ["S", "1"] + ["0"] * 9 + ["150", "50"] + ["0"] * 10
        user, system = servers.cpu_ticks(f"42 (a ) b) {' '.join(fields)}")
        tick = os.sysconf("SC_CLK_TCK")
        self.assertEqual((user, system), (150 / tick, 50 / tick))

    def test_a_free_port_is_outside_of_what_clients_get(self):
        self.assertTrue(20000 <= servers.free_port() <= 32000)


class Wire(unittest.TestCase):
    def test_the_masked_hello_of_the_rfc(self):
        # RFC 6455 5.7, but binary
        frame = probe.masked_frame(b"Hello", bytes.fromhex("37fa213d"))
        self.assertEqual(frame, bytes.fromhex("828537fa213d7f9f4d5158"))

    def test_lengths(self):
        key = b"\0\0\0\0"
        self.assertEqual(probe.masked_frame(b"", key), b"\x82\x80" + key)
        self.assertEqual(probe.masked_frame(b"a" * 126, key)[:4], b"\x82\xfe\x00\x7e")
        self.assertEqual(probe.masked_frame(b"a" * 65536, key)[:10],
                         b"\x82\xff\0\0\0\0\0\1\0\0")


class Rounds(unittest.TestCase):
    def test_each_round_begins_with_another_contender(self):
        firsts = [runner.rotated(["a", "b", "c"], at)[0] for at in range(4)]
        self.assertEqual(firsts, ["a", "b", "c", "a"])
        self.assertEqual(runner.rotated([], 3), [])


if __name__ == "__main__":
    unittest.main()
