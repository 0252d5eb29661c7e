import unittest
import xml.etree.ElementTree as xml
import zlib

import numpy as np

from statescope import Array
from statescope.figures import curves_svg, map_scale, map_svg, png


class FigureTest(unittest.TestCase):
    def test_writes_a_picture(self) -> None:
        pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        data = png(pixels)
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        at = data.index(b"IDAT") + 4
        rows = zlib.decompress(data[at:])
        self.assertEqual(rows, b"\0" + pixels[0].tobytes() + b"\0" + pixels[1].tobytes())

    def test_draws_tokens_that_are_markup(self) -> None:
        tokens = ["<b>", "a&b", "\n"]
        found = Array(np.tril(np.ones((3, 3))), ("destination", "source"), {"source": tokens, "destination": tokens})
        words = "".join(xml.fromstring(map_svg(found, "<title>")).itertext())
        for each in ("<b>", "a&b", "⏎", "0 … 1"):
            self.assertIn(each, words)

    def test_two_maps_are_read_on_one_scale(self) -> None:
        def of(value: float) -> Array:
            names = ["a", "b"]
            return Array([[0.5, 0.0], [value, 0.25]], ("destination", "source"), {"source": names, "destination": names})

        one, two = of(2.0), of(-8.0)
        scale = map_scale([one, two])
        self.assertEqual(scale, (8.0, True))
        for each in (one, two):
            words = "".join(xml.fromstring(map_svg(each, "m", scale=scale)).itertext())
            self.assertIn("−8 … 8", words)
        self.assertIn("0 … 2", "".join(xml.fromstring(map_svg(one, "m")).itertext()))

    def test_leaves_out_what_is_undefined(self) -> None:
        curve = Array([np.nan, 0.0, 1.0], ("entry",), {"entry": ["embedding", "layer 0", "final"]})
        svg = xml.fromstring(curves_svg([("m", curve)], "p"))
        paths = [each.get("d") or "" for each in svg.iter("{http://www.w3.org/2000/svg}path")]
        self.assertEqual(sum("L" in path for path in paths), 1)
        self.assertNotIn("nan", "".join(paths))
