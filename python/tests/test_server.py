"""Against a server of one's own, that of the clone around this file."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, List

import numpy as np

import statescope
from statescope._api import Api
from statescope.client import span_of
from statescope.server import Server

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "Mary reached the bathroom. Sandra entered the hallway. A bird sang outside. Where is Sandra? Answer:"
NEEDLE = "Sandra entered the hallway."
CANDIDATES = ["bathroom", "hallway", "garden"]

server: Server
client: statescope.Client
run: statescope.Run
data: str


@unittest.skipUnless(shutil.which("node"), "needs node")
def setUpModule() -> None:
    global server, client, run, data
    data = tempfile.mkdtemp()
    server = statescope.serve(root=ROOT, data=data)
    client = server.client
    run = client.run(
        ["demo-mamba2", "demo-diff-mamba2"],
        PROMPT,
        target="hallway",
        needle=NEEDLE,
        candidates=CANDIDATES,
        progress=False,
    )


def tearDownModule() -> None:
    server.stop()
    shutil.rmtree(data)


class RunTest(unittest.TestCase):
    def test_knows_its_tokens_and_needle(self) -> None:
        tokens = run.tokens()
        start, end = run.model()["needle"] or (0, 0)
        self.assertEqual("".join(tokens[start:end]).replace(" ", ""), NEEDLE.replace(" ", ""))
        self.assertIn(run.id, [each["id"] for each in client.runs()])
        self.assertEqual(client.open(run.id).state, "done")

    def test_reads_maps_with_tokens_on_their_axes(self) -> None:
        L = len(run.tokens())
        found = run.map(2, reduce="mean")
        self.assertEqual((found.shape, found.axes), ((L, L), ("destination", "source")))
        self.assertEqual(list(found.labels["source"]), run.tokens())
        self.assertFalse(np.triu(found.values, 1).any())
        self.assertIn("S6", found.about["convention"])
        # A difference is that of the branches.
        of = {branch: run.map(1, model=1, branch=branch).values for branch in ("mixer_1", "lambda_mixer_2", "diff")}
        np.testing.assert_allclose(of["diff"], of["mixer_1"] - of["lambda_mixer_2"], atol=1e-6)
        block = run.map(1, form="block", without=["conv", "D"])
        self.assertIn("without", block.about["convention"])
        self.assertEqual(run.map(1, form="logit", target=3).about["rest"].shape, (L,))
        self.assertGreater(run.map_estimate(1), L * L)
        self.assertEqual(run.thumbnails(size=8).shape, (4, 8, 8))

    def test_lens_and_signal_agree(self) -> None:
        lens, signal = run.lens(), run.signal(needle_against_context=True)
        at = run.model()["position"]
        for name in ("target_prob", "margin", "snr_vocab", "snr_candidates"):
            np.testing.assert_allclose(lens[name].values[:, at], signal[name].values, rtol=1e-3, atol=1e-5)
        self.assertEqual(lens["top_ids"].axes, ("entry", "position", "rank"))
        self.assertEqual(signal["target_prob"].labels["entry"][0], "embedding")
        self.assertTrue(np.isnan(signal["needle_against_context"].values[0]))

    def test_parts_add_up(self) -> None:
        parts = run.attribution()
        self.assertAlmostEqual(float(parts.values.sum()), parts.about["logit"], places=3)
        answer = run.answer()
        self.assertAlmostEqual(float(answer.values.sum()), answer.about["logprob"], places=6)
        reads = run.allocation(model=1)
        shares = reads["net.projection_share"]
        self.assertEqual(shares.axes, ("layer", "class"))
        np.testing.assert_allclose(np.nansum(shares.values, axis=1), 1, atol=1e-3)
        again = run.allocation(model=1, needle=(0, 5), question=[(20, 22)])
        self.assertEqual(again["tokens"].values[0, list(again["tokens"].labels["class"]).index("needle")], 5)
        rows = run.rollout(method="norm").values.sum(axis=1)
        np.testing.assert_allclose(rows, 1, atol=1e-4)

    def test_reads_channels_tokens_and_pairs(self) -> None:
        L = len(run.tokens())
        self.assertEqual(run.channels(1)["single.delta"].axes, ("position", "head"))
        track = run.tracks(1, unit=2)["single.delta"]
        self.assertEqual(track.shape, (L,))
        np.testing.assert_allclose(track.values, run.channels(1)["single.delta"].values[:, 2], rtol=1e-5)
        pair = run.pair(1, L - 1, 2, k=3)
        head = pair.labels["head"][0]
        expected = run.map(1, reduce=f"head:{head}").values[L - 1, 2]
        np.testing.assert_allclose(pair.values[0], expected, rtol=1e-4)
        self.assertTrue(run.export("map", "csv", layer=1).decode().startswith("#"))

    def test_every_reading_has_a_method(self) -> None:
        readings = {name[8:] for name in vars(Api) if name.startswith("get_run_")} - {"events"}
        self.assertEqual(readings - set(dir(run)), set())

    def test_refusals_are_the_servers_sentences(self) -> None:
        cases: List[Any] = [
            (404, "has 4 layers", lambda: run.map(99)),
            (400, "reduce must be", lambda: run.map(1, reduce="all")),
            (404, 'no model "nix"', lambda: client.run("nix", "a", target="b")),
            (404, "There is no run", lambda: client.open("00000000")),
        ]
        for status, words, ask in cases:
            with self.assertRaisesRegex(statescope.StatescopeError, words) as caught:
                ask()
            self.assertEqual(caught.exception.status, status)
        with self.assertRaisesRegex(statescope.StatescopeError, "does not answer"):
            statescope.connect("http://127.0.0.1:9")
        with self.assertRaisesRegex(IndexError, "2 models"):
            run.model(2)

    def test_tells_progress_and_cancels(self) -> None:
        told: List[statescope.Progress] = []
        long = " ".join([PROMPT] * 20)

        def stop(progress: statescope.Progress) -> None:
            told.append(progress)
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            client.run("demo-mamba2", long, target="hallway", progress=stop)
        self.assertEqual(told[0].model, "demo-mamba2")
        started = client.run("demo-mamba2", long, target="hallway", wait=False)
        started.cancel()
        with self.assertRaisesRegex(statescope.StatescopeError, "cancelled"):
            started.wait(progress=False)
        self.assertEqual(started.resume(progress=False).state, "done")
        started.forget()
        with self.assertRaisesRegex(statescope.StatescopeError, "no run"):
            started.refresh()

    def test_shows_the_page_and_stays_readable_without_it(self) -> None:
        page = run.show(layer=1)
        live, saved = page._repr_html_(), page.to_html()
        self.assertIn(f"{server.url}/?run={run.id}", live)
        self.assertIn("iframe", live)
        for part in ("iframe", "<script", "http://127"):
            self.assertNotIn(part, saved)
        self.assertEqual(saved.count("data:image/png;base64,"), 2)
        self.assertIn("layer 1: implicit attention", saved)
        self.assertIn("p(hallway)", saved)


class NeedleTest(unittest.TestCase):
    def test_counts_as_the_server_does(self) -> None:
        self.assertEqual(span_of("😀 ab", "ab"), [3, 5])
        self.assertEqual(span_of("😀 ab", (2, 4)), [3, 5])
        for needle in ("b", "x", ""):
            with self.assertRaisesRegex(ValueError, "occurs"):
                span_of("bb", needle)


class ServerTest(unittest.TestCase):
    def test_is_not_found_where_there_is_none(self) -> None:
        with self.assertRaisesRegex(statescope.StatescopeError, "no clone of Statescope"):
            statescope.serve(root=data)

    def test_says_why_it_does_not_start(self) -> None:
        with self.assertRaisesRegex(statescope.StatescopeError, "STATESCOPE_TRUST_PROXY must be 1 or 0"):
            statescope.serve(root=ROOT, env={"STATESCOPE_TRUST_PROXY": "maybe", "STATESCOPE_DATA": "none"})

    def test_ends_with_the_program_that_started_it(self) -> None:
        program = (
            "import os, statescope, sys\n"
            f"server = statescope.serve(root={str(ROOT)!r}, env={{'STATESCOPE_DATA': 'none'}})\n"
            "print(server._process.pid, flush=True)\n"
            "sys.stdin.read()\n"
        )
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        timer = threading.Timer(60, owner.kill)
        timer.start()
        try:
            assert owner.stdout is not None
            pid = int(owner.stdout.readline())
            os.kill(owner.pid, signal.SIGKILL)
            owner.wait()
            until = time.monotonic() + 10
            while _lives(pid) and time.monotonic() < until:
                time.sleep(0.05)
            self.assertFalse(_lives(pid))
        finally:
            timer.cancel()
            owner.kill()
            for pipe in (owner.stdin, owner.stdout):
                assert pipe is not None
                pipe.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # One that has ended and that nobody has asked after still has its number.
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
