import importlib.util
import unittest

import numpy as np

from statescope import Array


class ArrayTest(unittest.TestCase):
    def test_is_an_array_with_named_axes(self) -> None:
        found = Array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ("entry", "position"), {"position": ["a", "b", "a"]})
        self.assertEqual(repr(found), "<statescope.Array (entry: 2, position: 3) float64>")
        self.assertEqual(float(np.sum(found)), 21)
        self.assertEqual(np.asarray(found, dtype=np.float32).dtype, np.float32)

    def test_refuses_names_and_labels_that_do_not_fit(self) -> None:
        with self.assertRaisesRegex(ValueError, "2 axes have 1 names"):
            Array(np.zeros((2, 3)), ("entry",))
        with self.assertRaisesRegex(ValueError, "axis entry has 2 places and 1 labels"):
            Array(np.zeros(2), ("entry",), {"entry": ["x"]})

    @unittest.skipUnless(importlib.util.find_spec("pandas"), "needs pandas")
    def test_becomes_a_table(self) -> None:
        table = Array(np.eye(2), ("destination", "source"), {"source": ["a", "a"]}).to_pandas()
        self.assertEqual(list(table.columns), ["0 a", "1 a"])
        self.assertEqual(table.columns.name, "source")
        self.assertEqual(len(Array(np.zeros((2, 2, 2)), ("a", "b", "c")).to_pandas()), 8)
