"""A run in a notebook: the page in a frame, and figures that need neither server nor scripts, as nbconvert saves them."""

from __future__ import annotations

import base64
import html
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .array import Array

if TYPE_CHECKING:
    from .run import Run

# The page's colours, in its light theme.
DIVERGING = ("#5b1a6b", "#9563a8", "#d0bbdc", "#f7f7f5", "#b5dcb2", "#4f9f5c", "#0f5c2c")
SEQUENTIAL = ("#f5f7f5", "#d6e9de", "#a0d2c1", "#5db1a8", "#2a868d", "#1b5a76", "#182c4f")
MODELS = (("A", "#1458b5", ""), ("B", "#b34c00", "5 3"))
INK, QUIET, LINE = "#15191d", "#5b6570", "#d5d9dd"
TOP = 3
"""Tokens that a cell of the lens names."""
TICKS = 32
"""Tokens that are written beside an axis."""


def _visible(token: str) -> str:
    return token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") or "∅"


def _ramp(colours: Sequence[str], t: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Colours [..., 3] of values in [0, 1]."""
    stops = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours], dtype=np.float64)
    places = np.linspace(0, 1, len(colours))
    mixed = np.stack([np.interp(t, places, stops[:, channel]) for channel in range(3)], axis=-1)
    return np.asarray(mixed.round(), dtype=np.uint8)


def png(pixels: "np.ndarray[Any, Any]") -> bytes:
    """A picture [rows, columns, 3] of bytes as PNG."""
    rows, columns, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    style = f'font-family="ui-sans-serif, system-ui, sans-serif" font-size="11" fill="{INK}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" {style}><title>{html.escape(title)}</title>{"".join(parts)}</svg>'
    )


def map_scale(maps: Sequence[Array]) -> Tuple[float, bool]:
    """The largest magnitude of maps that are drawn on one scale, and whether any of them has a sign."""
    most = max((float(np.abs(each.values).max()) for each in maps), default=0.0)
    return most or 1.0, any(bool((each.values < 0).any()) for each in maps)


def map_svg(found: Array, title: str, side: float = 360, scale: Optional[Tuple[float, bool]] = None) -> str:
    """A map with tokens on both axes.

    :param scale: what colours reach to and whether they have a sign, from :func:`map_scale` of all maps that are read beside
        each other; by default of this one: from 0 to the largest, or −largest to largest where it is signed
    """
    L = len(found)
    values = np.asarray(found.values, dtype=np.float64)
    most, signed = scale or map_scale([found])
    colours = _ramp(DIVERGING, (values / most + 1) / 2) if signed else _ramp(SEQUENTIAL, values / most)
    colours[np.triu_indices(L, 1)] = (232, 234, 237)
    picture = base64.b64encode(png(colours)).decode("ascii")
    left, top, cell = 90.0, 24.0, side / L
    step = -(-L // TICKS)
    parts = [
        _text(0, 12, title, 'font-weight="600"'),
        f'<image x="{left}" y="{top}" width="{side}" height="{side}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{picture}"/>',
    ]
    tokens = [_visible(token) for token in found.labels["source"]]
    for k in range(0, L, step):
        parts.append(_text(left - 4, top + (k + 0.5) * cell + 3, tokens[k][-13:], 'text-anchor="end" font-size="9"'))
        x, y = left + (k + 0.5) * cell + 3, top + side + 4
        parts.append(
            _text(x, y, tokens[k][-13:], f'text-anchor="end" font-size="9" transform="rotate(-90 {x:.1f} {y:.1f})"')
        )
    ends = f"{'−' + format(most, '.3g') if signed else '0'} … {most:.3g}"
    parts.append(_text(left, top + side + 90, f"rows read columns; colours {ends}", f'fill="{QUIET}"'))
    return _svg(left + side + 8, top + side + 98, parts, title)


def curves_svg(curves: Sequence[Tuple[str, Array]], title: str, width: float = 720, height: float = 240) -> str:
    """Curves over the entries of the lens, one a model, on one scale from 0 to 1."""
    left, top, right, bottom = 40.0, 40.0, width - 12, height - 28
    parts = [_text(0, 12, title, 'font-weight="600"')]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - top)
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{LINE}"/>')
        parts.append(_text(left - 6, y + 4, f"{share:g}", f'text-anchor="end" fill="{QUIET}"'))
    for (name, curve), (slot, colour, dash), k in zip(curves, MODELS, range(2)):
        n = len(curve)
        at = [left + (right - left) * place / max(1, n - 1) for place in range(n)]
        points = [f"{x:.1f} {bottom - v * (bottom - top):.1f}" for x, v in zip(at, curve.values) if np.isfinite(v)]
        parts.append(
            f'<path d="M{"L".join(points)}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(_text(left + 330 * k, 28, f"{slot} {name}", f'fill="{colour}"'))
        if k == 0:
            step = max(1, n // 12)
            for place in range(0, n, step):
                entry = str(curve.labels["entry"][place])
                parts.append(_text(at[place], bottom + 16, entry, f'text-anchor="middle" fill="{QUIET}"'))
    return _svg(width, height, parts, title)


def lens_table(lens: Dict[str, Array], position: int, names: Dict[int, str], title: str) -> str:
    """The strongest tokens of every entry at one position, and what is said of the target."""
    ids, probabilities = lens["top_ids"].values[:, position], lens["top_probs"].values[:, position]
    rank, target = lens["target_rank"].values[:, position], lens["target_prob"].values[:, position]
    rows = []
    for place, entry in enumerate(lens["top_ids"].labels["entry"]):
        top = " · ".join(
            f"<b>{html.escape(_visible(names[int(id)])) if int(id) in names else int(id)}</b> {p:.2f}"
            for id, p in list(zip(ids[place], probabilities[place]))[:TOP]
        )
        rows.append(
            f"<tr><th>{html.escape(str(entry))}</th><td>{top}</td><td>{target[place]:.3g}</td><td>{int(rank[place]) + 1}</td></tr>"
        )
    head = "<tr><th>entry</th><th>strongest tokens</th><th>p(target)</th><th>rank</th></tr>"
    return f"<h4>{html.escape(title)}</h4><table>{head}{''.join(rows)}</table>"


class Page:
    """What ``run.show()`` gives to a notebook. ``to_html()`` is the figures alone, as one page of their own."""

    def __init__(self, run: "Run", layer: Optional[int], height: int) -> None:
        self._run = run
        self._height = height
        self._figures = self._draw(layer)

    def _draw(self, layer: Optional[int]) -> str:
        run = self._run
        state = run.info
        names = [model["name"] for model in state["models"]]
        numbers = range(len(names))
        shown = [len(run.model(m)["blocks"]) - 1 if layer is None else layer for m in numbers]
        request = state["request"]
        target = run.model(0)["target"]["text"]
        curves = [(names[m], run.signal(model=m)["target_prob"]) for m in numbers]
        parts = [
            f"<p>{html.escape(', '.join(names))}, run {html.escape(run.id)}: <q>{html.escape(request['prompt'])}</q></p>",
            curves_svg(curves, f"p({_visible(target)}) by layer"),
        ]
        read = [run.map(shown[m], model=m) for m in numbers]
        scale = map_scale(read)
        maps = [
            map_svg(read[m], f"{MODELS[m][0]} {names[m]}, layer {shown[m]}: implicit attention", scale=scale)
            for m in numbers
        ]
        parts.append(f"<div>{''.join(maps)}</div>")
        for m in numbers:
            model = run.model(m)
            lens = run.lens(model=m)
            known = {each["id"]: each["text"] for each in (*model["tokens"], *model["candidates"], model["target"])}
            ids = {int(id) for id in lens["top_ids"].values[:, model["position"], :TOP].reshape(-1)}
            if ids - set(known):
                entries = run.client.api.get_vocabulary(model=names[m], limit=1_000_000)["tokens"]
                known.update({each["id"]: each["text"] for each in entries if each["id"] in ids})
            title = f"{MODELS[m][0]} {names[m]}: logit lens at token {model['position']}"
            parts.append(lens_table(lens, model["position"], known, title))
        style = (
            "<style>.statescope-figures{font:13px system-ui,sans-serif;color:#15191d;background:#fcfcfb;padding:8px}"
            ".statescope-figures table{border-collapse:collapse}.statescope-figures th,.statescope-figures td"
            "{padding:2px 10px;text-align:left;border-bottom:1px solid #d5d9dd;font-size:12px}</style>"
        )
        return f'{style}<div class="statescope-figures">{"".join(parts)}</div>'

    def to_html(self) -> str:
        """One file without a server, scripts or anything from elsewhere."""
        title = html.escape(f"Statescope run {self._run.id}")
        policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{title}</title>{self._figures}</html>\n'
        )

    def _repr_html_(self) -> str:
        """Figures, which a script replaces by the live page where its server answers and lets itself be framed."""
        url = self._run.url
        link = f'<p><a href="{html.escape(url)}" target="_blank" rel="noopener">Open the run on its page</a></p>'
        if not self._run.client.framed:
            return f"{link}{self._figures}"
        place = f"statescope-{self._run.id}"
        script = (
            f"(() => {{const place = document.getElementById({json.dumps(place)}); const url = {json.dumps(url)};"
            "fetch(new URL('/api/health', url), {mode: 'no-cors'}).then(() => {const frame = document.createElement('iframe');"
            f"frame.src = url; frame.title = 'Statescope'; frame.style = 'width:100%;border:0;height:{self._height:d}px';"
            "place.replaceChildren(frame);}, () => undefined);})()"
        )
        return f'{link}<div id="{place}">{self._figures}</div><script>{script}</script>'
