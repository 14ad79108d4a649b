# SPDX-License-Identifier: Apache-2.0
"""From raw samples to verdicts, page and pictures, on results made by hand."""
import json
import pathlib
import tempfile
import unittest
from xml.dom import minidom

from bench.suite import main, pictures, report, rows, summary

CONTENDERS = [
    {"key": "wring", "label": "wring", "colour": "#e00", "is_floor": False},
    {"key": "floor-uring", "label": "floor", "colour": "#444", "is_floor": True},
    {"key": "floor-epoll", "label": "floor 2", "colour": "#888", "is_floor": True},
    {"key": "bun", "label": "Bun", "colour": "#80f", "is_floor": False},
    {"key": "lws", "label": "lws", "colour": "#088", "is_floor": False},
]
FLOORS = {"floor-uring", "floor-epoll"}


def cell(costs, failures=()):
    samples = {str(at): {"messages": 1000, "server_us": cost, "rate": 1e6 / cost, "p50_us": 9.0,
                         "p99_us": 30.0, "user_us": cost / 10}
               for at, cost in enumerate(costs)}
    return {"samples": samples, "failures": list(failures)}


def row(key="echo-20B-64c", **cells):
    found = next(one for one in rows.all_rows() if one.key == key)
    return main.row_json(found, []) | {"cells": {name.replace("_", "-"): content
                                                 for name, content in cells.items()}}


def idle(user, kernel):
    return {"samples": {"0": {"messages": 0, "user_bytes": user, "kernel_bytes": kernel}},
            "failures": []}


def result(*some_rows):
    return {"wring_suite": 1, "date": "2026-01-02T03:04:05", "elapsed_s": 61.0,
            "machine": {"cpu": "C", "cpus": 2, "memory_gib": 4, "kernel": "6.1", "system": "12",
                        "congestion_control": "cubic", "load_at_start": "0.0", "commit": "abc",
                        "versions": {"bun": "1.0"}},
            "plan": {"quick": True, "rounds": 3, "duration_s": 0.5, "warmup_s": 0.1},
            "contenders": CONTENDERS, "rows": list(some_rows)}


class Summaries(unittest.TestCase):
    def test_the_cheaper_floor_and_the_cheapest_peer_are_compared_with(self):
        found = summary.summarize_row(row(wring=cell([4, 4.2, 4.1]), floor_uring=cell([4, 4, 4]),
                                          floor_epoll=cell([5, 5, 5]), bun=cell([6, 6, 6]),
                                          lws=cell([5, 5, 5])), FLOORS)
        self.assertEqual((found.floor, found.best_peer), ("floor-uring", "lws"))
        self.assertAlmostEqual(found.cells["wring"].ratio.median, 4.1 / 4)
        self.assertAlmostEqual(found.against_best.median, 4.1 / 5)
        self.assertEqual(found.verdict, "leads")

    def test_another_form_of_wring_is_no_peer(self):
        forms = [*CONTENDERS, {"key": "wring-2", "label": "two", "colour": "#f00",
                               "is_floor": False, "is_own": True}]
        forms[0] = forms[0] | {"is_own": True}
        content = row("fanout-64B-1000c", wring=cell([4, 4, 4]), wring_2=cell([3, 3, 3]),
                      bun=cell([6, 6, 6]))
        found = summary.summarize(result(content) | {"contenders": forms})[0]
        self.assertEqual(found.best_peer, "bun")

    def test_busy_is_the_share_of_the_time_the_server_worked(self):
        found = summary.summarize_row(row(wring=cell([4, 4, 4])), FLOORS)
        self.assertAlmostEqual(found.cells["wring"].busy, 1.0)

    def test_trailing_is_told(self):
        found = summary.summarize_row(row(wring=cell([6, 6, 6]), bun=cell([5, 5, 5])), FLOORS)
        self.assertEqual(found.verdict, "trails")

    def test_a_difference_within_the_spread_is_level(self):
        found = summary.summarize_row(row(wring=cell([4, 5, 6]), bun=cell([5, 5, 5])), FLOORS)
        self.assertEqual(found.verdict, "level")
        close = summary.summarize_row(row(wring=cell([5.1] * 3), bun=cell([5.0] * 3)), FLOORS)
        self.assertEqual(close.verdict, "level")

    def test_a_contender_without_samples_has_no_figures_but_its_reason(self):
        found = summary.summarize_row(row(wring=cell([4]), bun=cell([], ["is not there"])), FLOORS)
        self.assertIsNone(found.cells["bun"].cost)
        self.assertEqual(found.cells["bun"].failures, ["is not there"])
        self.assertIsNone(found.verdict)

    def test_idle_cost_is_user_space(self):
        found = summary.summarize_row(row("idle-10000c", wring=idle(200, 4000)), FLOORS)
        self.assertEqual(found.cells["wring"].cost.median, 200)

    def test_means_are_over_rows_that_all_have(self):
        whole = summary.summarize_row(row(wring=cell([2]), bun=cell([4]), floor_uring=cell([1])),
                                      FLOORS)
        torn = summary.summarize_row(row(wring=cell([9]), bun=cell([], ["x"]),
                                         floor_uring=cell([1])), FLOORS)
        means = summary.mean_ratios([whole, torn], ["wring", "bun"])
        self.assertAlmostEqual(means["wring"][0], 2)
        self.assertEqual(means["bun"][1], 1)


class Page(unittest.TestCase):
    def setUp(self):
        self.result = result(
            row(wring=cell([4, 4, 4]), floor_uring=cell([4, 4, 4]), bun=cell([5, 5, 5]),
                lws=cell([], ["round 1: it went away"])),
            row("fanout-64B-1000c", wring=cell([6, 6, 6]), floor_uring=cell([5, 5, 5]),
                bun=cell([5.5, 5.5, 5.5])),
            row("idle-10000c", wring=idle(200, 4000), bun=idle(1600, 4000)))

    def test_failures_and_both_verdicts_are_on_the_page(self):
        page = report.page(self.result)
        self.assertIn("lws: it went away: echo-20B-64c", page)
        self.assertIn("Where wring leads: 2 of 3 rows", page)
        self.assertIn("Where wring trails: 1 of 3 rows", page)
        self.assertIn("**4.00 (1.00 ×)**", page)
        self.assertIn("| failed |", page)

    def test_a_busy_machine_is_told(self):
        self.assertNotIn("busy with other work", report.page(self.result))
        self.result["machine"]["load_at_start"] = "7.5"
        self.assertIn("busy with other work (load average 7.5", report.page(self.result))

    def test_pictures_are_well_formed(self):
        found = pictures.all_pictures(self.result)
        self.assertEqual(set(found), {"overview.svg", "throughput.svg", "idle.svg", "echo.svg",
                                      "fanout.svg"})
        for picture in found.values():
            minidom.parseString(picture)

    def test_a_result_file_reads_back_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "r.json"
            main.write_json(self.result, path)
            self.assertEqual(json.loads(path.read_text()), self.result)


class Rows(unittest.TestCase):
    def test_names_are_unique(self):
        keys = [one.key for one in rows.all_rows()]
        self.assertEqual(len(keys), len(set(keys)))

    def test_every_size_and_connection_count_of_echo_is_there(self):
        echo = [one for one in rows.full_rows() if one.family == "echo" and one.pipeline == 1]
        for size in rows.SIZES:
            counts = {one.connections for one in echo if one.size == size}
            self.assertLessEqual({1, 64}, counts)
        self.assertIn("echo-20B-10000c-p32", {one.key for one in rows.full_rows()})

    def test_pictures_name_rows_that_exist(self):
        keys = {one.key for one in rows.all_rows()}
        named = [key for _, some in pictures.OVERVIEW for key in some]
        named += [key for key, _ in pictures.THROUGHPUT]
        self.assertLessEqual(set(named), keys)


if __name__ == "__main__":
    unittest.main()
