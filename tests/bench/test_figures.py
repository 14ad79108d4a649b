# SPDX-License-Identifier: Apache-2.0
"""The suite's arithmetic on numbers whose results are known."""
import unittest

from bench.suite import figures


class Quantiles(unittest.TestCase):
    def test_median_of_odd_and_even_counts(self):
        self.assertEqual(figures.quantile([3, 1, 2], 0.5), 2)
        self.assertEqual(figures.quantile([4, 1, 3, 2], 0.5), 2.5)

    def test_quartiles_are_linear_between_ranks(self):
        self.assertEqual(figures.quantile([1, 2, 3, 4, 5], 0.25), 2)
        self.assertAlmostEqual(figures.quantile([1, 2, 3, 4], 0.75), 3.25)

    def test_one_value_is_all_quantiles(self):
        self.assertEqual(figures.quantile([7], 0.25), 7)
        self.assertEqual(figures.quantile([7], 1), 7)

    def test_spread_leaves_out_what_is_missing(self):
        spread = figures.spread([5, None, 1, 3])
        self.assertEqual((spread.median, spread.low, spread.high, spread.count), (3, 2, 4, 3))
        self.assertIsNone(figures.spread([None]))


class Ratios(unittest.TestCase):
    def test_a_disturbed_round_disturbs_both(self):
        ours, floor = {0: 2.0, 1: 20.0, 2: 2.2}, {0: 1.0, 1: 10.0, 2: 1.0}
        self.assertEqual(figures.ratio(ours, floor).median, 2.0)

    def test_rounds_that_one_lacks_do_not_count(self):
        self.assertEqual(figures.ratio({0: 3, 1: 5}, {1: 1, 2: 1}).count, 1)
        self.assertIsNone(figures.ratio({0: 3}, {1: 1}))

    def test_a_floor_of_zero_is_no_ratio(self):
        self.assertIsNone(figures.ratio({0: 3}, {0: 0}))

    def test_geometric_mean(self):
        self.assertAlmostEqual(figures.geometric_mean([1, 4]), 2)
        self.assertIsNone(figures.geometric_mean([]))

    def test_cost_of_a_message(self):
        self.assertAlmostEqual(figures.us_per_message(0.5, 100_000), 5)
        self.assertIsNone(figures.us_per_message(0.5, 0))


class Texts(unittest.TestCase):
    def test_three_significant_digits(self):
        for value, expected in ((12345.6, "12,300"), (0.15549, "0.155"), (5, "5.00"), (0, "0"),
                                (999.7, "1,000"), (26.96, "27.0"), (None, "–")):
            self.assertEqual(figures.significant(value), expected)

    def test_units(self):
        self.assertEqual(figures.rate(1_234_567), "1.23 M")
        self.assertEqual(figures.rate(45_600), "45.6 k")
        self.assertEqual(figures.rate(12), "12.0")
        self.assertEqual(figures.microseconds(1500), "1.50 ms")
        self.assertEqual(figures.microseconds(70), "70.0 µs")
        self.assertEqual(figures.size_bytes(4432), "4.33 KiB")
        self.assertEqual(figures.size_bytes(192), "192 B")
        self.assertEqual(figures.times(1.084), "1.08 ×")
        self.assertEqual(figures.memory(192, 4432), "192 B + 4.33 KiB")
        self.assertEqual(figures.memory(192, -5), "192 B + ?")


if __name__ == "__main__":
    unittest.main()
