"""Runs that PyTorch has computed, against the reference values of this repository and the models of transformers."""

import importlib.util
import json
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict

import numpy as np
from safetensors.numpy import load_file

from statescope import export_torch

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "lib" / "models" / "testing" / "cases"
HYBRIDS = ROOT / "lib" / "models" / "testing" / "hybrids"
GRANITE = ["granite-nope", "granite-rope"]
COMMITTED = ROOT / "lib" / "server" / "testing" / "elsewhere" / "e15e0001"
PLAIN = ["hf-mamba1", "hf-mamba1-bias", "hf-falcon-mamba", "hf-mamba2", "hf-mamba2-groups"]
OTHERS = ["hf-falcon-mamba-bf16", "hf-mamba2-sharded", "hf-diffmamba2-alternate", "hf-diffmamba2-all", "len1-diffmamba2"]

HOOKS = {"hook_delta": "delta", "hook_A": "A", "hook_y": "y", "hook_ssm_input": "x", "hook_in_proj": "x0", "hook_skip": "z"}


def has(*modules: str) -> Any:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return unittest.skipIf(missing, f"needs {' and '.join(modules)} for Python")


@has("torch")
class ExportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def close(self, found: Any, expected: Any, what: str) -> None:
        size = float(np.abs(expected).max())
        self.assertLess(float(np.abs(found.reshape(expected.shape) - expected).max()), 1e-4 * size, what)

    def test_equals_the_reference(self) -> None:
        for case in PLAIN + OTHERS:
            tokens = json.loads((CASES / case / "case.json").read_text())["tokens"][0]
            out = export_torch(CASES / case, tokens, self.folder / case, target=5, candidates=[5, 7, 9])
            run = load_file(out / "model-0.safetensors")
            compared = 0
            for name, value in load_file(CASES / case / "expected.safetensors").items():
                found = self._at(run, name)
                if found is not None:
                    self.close(found, value if name.endswith("hook_A") else value[0], f"{case} {name}")
                    compared += 1
            self.assertGreater(compared, 2, case)
            self._reads_add_up(run, case)

    def test_equals_the_reference_of_granite(self) -> None:
        for case in GRANITE:
            case_json = json.loads((HYBRIDS / case / "case.json").read_text())
            fields = json.loads((HYBRIDS / case / "config.json").read_text())
            out = export_torch(HYBRIDS / case, case_json["tokens"][0], self.folder / case, target=5, candidates=[5, 7, 9])
            run = load_file(out / "model-0.safetensors")
            expected = load_file(HYBRIDS / case / "expected.safetensors")
            r, n = fields["residual_multiplier"], len(expected["residuals"]) - 1
            for i in range(n + 1):
                self.close(run[f"residuals.{i}"], expected["residuals"][i][0], f"{case} residuals.{i}")
            attended = 0
            for i in range(n):
                at = f"blocks.{i}"
                pattern = expected.get(f"{at}.hook_attn_pattern")
                given = expected[f"{at}.hook_mamba_out" if pattern is None else f"{at}.hook_attn_out"]
                self.close(run[f"{at}.out"], r * given[0], f"{case} {at}.out")
                if pattern is None:
                    continue
                attended += 1
                q, k = run[f"{at}.attention.q"], run[f"{at}.attention.k"]
                scores = np.einsum("ihd,jhd->hij", q, k.repeat(q.shape[1] // k.shape[1], 1)) * fields["attention_multiplier"]
                scores = np.where(np.tri(len(q), dtype=bool), scores, -np.inf)
                weights = np.exp(scores - scores.max(-1, keepdims=True))
                self.close(weights / weights.sum(-1, keepdims=True), pattern[0], f"{case} {at} pattern")
            self.assertEqual(attended, 2)
            z = expected["hook_logits"][0].astype(np.float64)
            top = run["elsewhere.lens.topIds"][-1, :, 0]
            self.assertEqual(top.tolist(), z.argmax(-1).tolist(), case)
            shifted = np.exp(z - z.max(-1, keepdims=True))
            self.close(run["elsewhere.lens.statistics.target_prob"][-1], (shifted / shifted.sum(-1, keepdims=True))[:, 5], case)
            self._reads_add_up(run, case)

    def _at(self, run: Dict[str, Any], name: str) -> Any:
        parts = name.split(".")
        if name == "hook_embed":
            return run["residuals.0"]
        if parts[0] == "blocks" and parts[-1] == "hook_resid_post":
            return run[f"residuals.{int(parts[1]) + 1}"]
        scan = parts[2] if len(parts) == 4 else "single"
        return run.get(f"blocks.{parts[1]}.scans.{scan}.{HOOKS[parts[-1]]}") if parts[-1] in HOOKS else None

    def _reads_add_up(self, run: Dict[str, Any], case: str) -> None:
        """What tokens and biases add is what the block adds, at the token that is read."""
        for i in range(sum(name.startswith("residuals.") for name in run) - 1):
            at = f"elsewhere.reads.blocks.{i}"
            total = run[f"{at}.first.sources"].sum(0) + run.get(f"{at}.first.free", 0)
            if f"{at}.second.sources" in run:
                total = total - run[f"{at}.second.sources"].sum(0) - run.get(f"{at}.second.free", 0)
            self.close(total, run[f"blocks.{i}.out"][-1], f"{case} {at}")

    def test_writes_the_committed_run_again(self) -> None:
        stored = json.loads((COMMITTED / "run.json").read_text())
        structure = stored["run"]["models"][0]
        ids = [token["id"] for token in structure["tokens"]]
        candidates = [each["id"] for each in structure["candidates"]]
        model = ROOT / "models" / "demo-diff-mamba2"
        target, needle = structure["target"]["id"], tuple(structure["needle"])
        out = export_torch(model, ids, self.folder / "e15e0001", target=target, needle=needle, candidates=candidates)
        found, expected = load_file(out / "model-0.safetensors"), load_file(COMMITTED / "model-0.safetensors")
        self.assertEqual(set(found), set(expected))
        for name in set(expected) - {"elsewhere.lens.topIds"}:
            self.close(found[name].astype(np.float64), expected[name].astype(np.float64), name)
        self.assertEqual(json.loads((out / "run.json").read_text())["run"]["models"][0]["needle"], list(needle))

    def test_refuses_what_it_does_not_compute(self) -> None:
        case = CASES / "hf-mamba1"
        wrong: Any
        for wrong, words in [
            ({"tokens": [999]}, "Token id 999 is outside the vocabulary"),
            ({"tokens": []}, "There are no tokens"),
            ({"tokens": "text"}, "needs tokenizer"),
            ({"needle": (2, 9)}, "does not lie in the prompt"),
            ({"position": 7}, "There is no position 7"),
            ({"target": "word"}, "needs tokenizer"),
        ]:
            asked = {"tokens": [1, 2, 3], "target": 5, **wrong}
            with self.assertRaisesRegex(ValueError, words):
                export_torch(case, asked.pop("tokens"), self.folder / "x", **asked)
        with self.assertRaisesRegex(ValueError, "of the type None"):
            export_torch(CASES / "official-mamba1", [1], self.folder / "x", target=5)
        with self.assertRaisesRegex(ValueError, "of the type 'jamba'"):
            export_torch(HYBRIDS / "jamba", [1], self.folder / "x", target=5)
        with self.assertRaisesRegex(ValueError, "kind 'diff_s6'"):
            export_torch(CASES / "statescope-diff-s6", [1], self.folder / "x", target=5)
        (self.folder / "full").mkdir()
        (self.folder / "full" / "file").touch()
        with self.assertRaisesRegex(ValueError, "is not empty"):
            export_torch(case, [1, 2], self.folder / "full", target=5)
        self.assertFalse((self.folder / "x").exists())


@has("torch", "transformers")
class TransformersTest(unittest.TestCase):
    def test_takes_models_of_transformers(self) -> None:
        from transformers import AutoModelForCausalLM

        with tempfile.TemporaryDirectory() as folder:
            for place in [*(CASES / case for case in PLAIN), *(HYBRIDS / case for case in GRANITE)]:
                model = AutoModelForCausalLM.from_pretrained(place)
                tokens = json.loads((place / "case.json").read_text())["tokens"][0]
                run = load_file(export_torch(model, tokens, Path(folder) / place.name, target=5) / "model-0.safetensors")
                own = load_file(export_torch(place, tokens, Path(folder) / f"{place.name}-", target=5) / "model-0.safetensors")
                np.testing.assert_allclose(run["residuals.2"], own["residuals.2"], atol=1e-5)

    def test_refuses_one_that_computes_something_else(self) -> None:
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(CASES / "hf-mamba1")
        model.backbone.layers[1].mixer.register_forward_hook(lambda _module, _inputs, out: out * 0.9)
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(ValueError, "own logits differ"):
                export_torch(model, [1, 2, 3], Path(folder) / "x", target=5)
