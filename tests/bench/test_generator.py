# SPDX-License-Identifier: Apache-2.0
"""What is asked of `wring bench`, and what is made of its report."""
import pathlib
import types
import unittest
import zlib

from bench.suite import generator, rows, texts
from bench.suite.contenders import by_key

PLAN = types.SimpleNamespace(build=pathlib.Path("/b"), duration_s=0.5, warmup_s=0.1)


def report(**changes):
    found = {"mode": "echo", "duration_s": 0.5, "errors": {},
             "connections": {"wanted": 64, "opened": 64, "failed": 0, "lost": 0},
             "messages": {"sent": 1000, "received": 1000, "lost": 0, "duplicated": 0,
                          "reordered": 0},
             "rate": {"messages_per_s": 2000.0},
             "latency_us": {"count": 9, "p50": 10, "p99": 20, "max": 30},
             "connect_us": {"count": 9, "p50": 1, "p99": 2, "max": 3},
             "cpu": {"user_s": 0.001, "system_s": 0.002},
             "opening_s": 0.25,
             "server_opening_cpu": {"user_s": 0.01, "system_s": 0.02, "us_per_connection": 300.0},
             "server_cpu": {"user_s": 0.001, "system_s": 0.004}}
    found.update(changes)
    return found


class Arguments(unittest.TestCase):
    def of(self, row, contender):
        return generator.arguments(PLAN, row, by_key(contender), 1234, 42, 0.1)

    def test_echo_with_a_pipeline(self):
        argv = self.of(rows.Row("echo", 64, 20, 32), "wring")
        self.assertEqual(argv[:2], ["/b/wring", "bench"])
        self.assertEqual(argv[argv.index("--pipeline") + 1], "32")
        self.assertEqual(argv[-1], "ws://127.0.0.1:1234/echo")
        self.assertNotIn("--any-answer", argv)

    def test_the_floor_answers_anything_and_never_over_tls(self):
        argv = self.of(rows.Row("tls", 64, 20, tls=True), "floor-uring")
        self.assertIn("--any-answer", argv)
        self.assertEqual(argv[-1], "ws://127.0.0.1:1234/echo")
        self.assertTrue(self.of(rows.Row("tls", 64, 20, tls=True), "bun")[-1].startswith("wss:"))

    def test_a_burst_is_under_way_as_a_whole(self):
        argv = self.of(rows.Row("fanout", 1000, 64, burst=16), "wring")
        self.assertEqual(argv[2], "fanout")
        self.assertEqual(argv[argv.index("--burst") + 1], "16")
        self.assertEqual(argv[argv.index("--pipeline") + 1], "16")
        self.assertTrue(argv[-1].endswith("/topic/all"))


class Text(unittest.TestCase):
    def test_it_is_as_long_as_asked_the_same_each_time_and_compressible(self):
        text = texts.json_like(1024)
        self.assertEqual(len(text), 1024)
        self.assertEqual(text, texts.json_like(1024))
        self.assertTrue(200 < len(zlib.compress(text.encode())) < 700)


class Reports(unittest.TestCase):
    def test_server_time_is_user_and_system_by_message(self):
        sample = generator.moving_sample(report())
        self.assertAlmostEqual(sample["server_us"], 5)
        self.assertAlmostEqual(sample["user_us"], 1)
        self.assertAlmostEqual(sample["generator_us"], 3)
        self.assertEqual(sample["p99_us"], 20)

    def test_connecting_has_the_latency_of_the_handshake(self):
        self.assertEqual(generator.moving_sample(report(mode="connect"))["p50_us"], 1)

    def test_opening_is_charged_with_what_it_took_and_nothing_after(self):
        row = rows.Row("connect", 64, kept=True)
        messages = report()["messages"] | {"received": 0}
        generator.check(report(messages=messages), row)
        sample = generator.kept_sample(report(mode="idle", messages=messages))
        self.assertEqual((sample["server_us"], sample["rate"], sample["p50_us"]), (300, 256, 1))

    def test_no_latency_is_none_and_not_zero(self):
        none = {"count": 0, "p50": 0, "p99": 0, "max": 0}
        self.assertIsNone(generator.moving_sample(report(latency_us=none))["p99_us"])

    def test_idle_memory_is_by_connection_and_end(self):
        memory = {"server_rss_before": 1000, "server_rss_after": 1000 + 64 * 200,
                  "slab_before": 0, "slab_after": 64 * 8000}
        sample = generator.idle_sample(report(memory=memory))
        self.assertEqual((sample["user_bytes"], sample["kernel_bytes"]), (200, 4000))

    def test_a_loss_of_any_kind_is_no_figure(self):
        row = rows.Row("echo", 64, 20)
        generator.check(report(), row)
        bad = [report(connections={"wanted": 2, "opened": 1, "failed": 1, "lost": 0},
                      errors={"connect: refused": 1})]
        for what in ("lost", "duplicated", "reordered"):
            messages = report()["messages"] | {what: 3}
            bad.append(report(messages=messages))
        bad.append(report(messages=report()["messages"] | {"received": 0}))
        for one in bad:
            with self.assertRaises(generator.GeneratorError):
                generator.check(one, row)
        with self.assertRaisesRegex(generator.GeneratorError, "refused"):
            generator.check(bad[0], row)


if __name__ == "__main__":
    unittest.main()
