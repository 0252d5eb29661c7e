"""A run and what can be read of it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._api import AllocationLayers, RunModels
from ._api import Run as RunState
from ._http import StatescopeError, Tensors
from .array import Array

if TYPE_CHECKING:
    from .client import Client
    from .figures import Page

ENDED = ("done", "cancelled", "error", "interrupted")
SPAN_MEASURES = ("norm_share", "projection_share", "alti_share", "logit")


class Progress(NamedTuple):
    """How far a run is."""

    model: str
    stage: str
    done: int
    total: int
    seconds_left: Optional[float]


def _say(progress: Progress) -> None:
    left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
    sys.stderr.write(f"\r\x1b[K{progress.model}: {progress.stage} {progress.done}/{progress.total}{left}")
    sys.stderr.flush()


def _nan(values: Optional[Sequence[Optional[float]]]) -> "np.ndarray[Any, Any]":
    return np.array([np.nan if value is None else value for value in values or []], dtype=np.float64)


class Run:
    """One prompt under one model or two.

    Every reading takes ``model``, the number of the model in the run, and gives arrays with names of axes:
    ``destination`` and ``source`` are tokens, ``entry`` the places of the lens (embedding, layers, output).
    """

    def __init__(self, client: "Client", id: str) -> None:
        self.client = client
        self.id = id
        self._state: Optional[RunState] = None

    # What the run is

    def refresh(self) -> RunState:
        """The run's whole state as it is now."""
        self._state = self.client.api.get_run(self.id)
        return self._state

    @property
    def info(self) -> RunState:
        """The run's whole state; of a run that has ended it is asked for once."""
        if self._state is not None and self._state["state"] in ENDED:
            return self._state
        return self.refresh()

    @property
    def state(self) -> str:
        return self.info["state"]

    @property
    def url(self) -> str:
        """The page with this run."""
        return f"{self.client.url}/?run={self.id}"

    def model(self, model: int = 0) -> RunModels:
        models = self.info["models"]
        if not 0 <= model < len(models):
            raise IndexError(f"The run has {len(models)} models, numbered from 0.")
        return models[model]

    def tokens(self, model: int = 0) -> List[str]:
        return [token["text"] for token in self.model(model)["tokens"]]

    def __repr__(self) -> str:
        names = ", ".join(self.info["request"]["models"])
        return f"<statescope.Run {self.id} of {names}: {self.info['state']}>"

    # Following it

    def wait(self, progress: Union[bool, Callable[[Progress], None]] = True) -> "Run":
        """Waits until the run has ended. An interruption (Ctrl-C) cancels it.

        :raises StatescopeError: where it ended by an error, or was cancelled or interrupted
        """
        tell = _say if progress is True else progress or None
        told = False
        try:
            while not self._follow(tell):
                # The connection was lost: what has happened meanwhile is in the state that the next one begins with.
                time.sleep(0.5)
                self.refresh()
        except KeyboardInterrupt:
            self.cancel()
            raise
        finally:
            told = tell is _say
            if told:
                sys.stderr.write("\r\x1b[K")
        state = self.refresh()
        if state["state"] == "done":
            return self
        raise StatescopeError(state.get("error") or f"Run {self.id} was {state['state']} before it was done.")

    def _follow(self, tell: Optional[Callable[[Progress], None]]) -> bool:
        """Whether the run has ended."""
        names: Sequence[str] = []
        for name, data in self.client.api.get_run_events(self.id):
            if name == "run":
                names = data["request"]["models"]
            if name == "progress" and tell:
                tell(Progress(names[data["model"]], data["stage"], data["layer"], data["layers"], data["secondsLeft"]))
            if name in ("run", "state") and data["state"] in ENDED:
                return True
        return False

    def cancel(self) -> None:
        """Asks the server to stop; what is finished stays readable."""
        self.client.api.delete_run(self.id)
        self._state = None

    def resume(self, progress: Union[bool, Callable[[Progress], None]] = True) -> "Run":
        """Goes on with a run that was cancelled or failed."""
        self.client.api.post_run_resume(self.id)
        self._state = None
        return self.wait(progress)

    def forget(self) -> None:
        """Removes the run from the server's memory and disk."""
        self.client.api.delete_run(self.id, forget="true")

    # Readings

    def _over(self, model: int, *axes: str) -> Dict[str, Sequence[Any]]:
        return {axis: self.tokens(model) for axis in axes}

    def map(
        self,
        layer: int,
        *,
        model: int = 0,
        form: str = "s6",
        branch: Optional[str] = None,
        reduce: Optional[str] = None,
        target: Optional[int] = None,
        without: Sequence[str] = (),
    ) -> Array:
        """Implicit attention of a layer: what every token (``destination``) reads from every one before (``source``).

        :param form: ``s6``, ``block``, ``logit`` or ``norm``
        :param branch: ``single``; ``mixer_1``, ``mixer_2``, ``lambda_mixer_2`` or ``diff`` of a differential block
        :param reduce: ``mean``, ``mean_abs``, ``max``, ``channel:K`` or ``head:K``
        :param target: token id whose logit the form ``logit`` reads
        :param without: parts of the form ``block`` to leave out: conv, activation, gate, norm, D
        """
        found = self.client.api.get_run_map(
            self.id,
            layer=layer,
            model=model,
            form=form,  # type: ignore[arg-type]
            branch=branch,  # type: ignore[arg-type]
            reduce=reduce,
            target=target,
            without=",".join(without) or None,
        )
        return self._square(found, model)

    def _square(self, found: Tensors, model: int) -> Array:
        about: Dict[str, Any] = dict(found.metadata)
        if "rest" in found.arrays:
            about["rest"] = found.arrays["rest"]
        return Array(found.arrays["map"], ("destination", "source"), self._over(model, "destination", "source"), about)

    def map_estimate(self, layer: int, *, model: int = 0, form: str = "s6", reduce: Optional[str] = None) -> int:
        """Bytes that a map would take. :raises StatescopeError: 422 where it would be refused"""
        return self.client.api.get_run_map_estimate(
            self.id, layer=layer, model=model, form=form, reduce=reduce  # type: ignore[arg-type]
        )["bytes"]

    def rollout(
        self,
        *,
        model: int = 0,
        method: str = "norm",
        start: int = 0,
        reduce: Optional[str] = None,
        target: Optional[int] = None,
        position: Optional[int] = None,
    ) -> Array:
        """What reaches every token from every other over all layers from ``start``, or attribution by gradients.

        :param method: ``norm``, ``alti``, ``plain``, ``normalised``, ``attribution`` or ``attribution_code``
        """
        found = self.client.api.get_run_rollout(
            self.id,
            model=model,
            method=method,  # type: ignore[arg-type]
            start=start,
            reduce=reduce,  # type: ignore[arg-type]
            target=target,
            position=position,
        )
        return self._square(found, model)

    def thumbnails(self, *, model: int = 0, branch: Optional[str] = None, reduce: Optional[str] = None, size: int = 56) -> Array:
        """Small maps of all finished layers."""
        found = self.client.api.get_run_thumbnails(
            self.id, model=model, branch=branch, reduce=reduce, size=size  # type: ignore[arg-type]
        )
        return Array(found.arrays["thumbnails"], ("layer", "row", "column"), None, found.metadata)

    def lens(
        self,
        *,
        model: int = 0,
        lens: str = "logit",
        target: Optional[int] = None,
        candidates: Sequence[int] = (),
    ) -> Dict[str, Array]:
        """The lens at every entry and position: statistics of the target by name, ``top_ids`` and ``top_probs``."""
        found = self.client.api.get_run_lens(
            self.id,
            model=model,
            lens=lens,  # type: ignore[arg-type]
            target=target,
            candidates=",".join(map(str, candidates)) or None,
        )
        labels = {"entry": found.metadata["entries"].split(","), **self._over(model, "position")}
        axes = ("entry", "position", "rank")
        return {name: Array(data, axes[: data.ndim], labels, found.metadata) for name, data in found.arrays.items()}

    def signal(
        self,
        *,
        model: int = 0,
        position: Optional[int] = None,
        target: Optional[int] = None,
        needle: Optional[Tuple[int, int]] = None,
        lens: str = "logit",
        needle_against_context: bool = False,
    ) -> Dict[str, Array]:
        """Curves of the target over the entries of the lens at one token: probability, margin, SNR …; NaN where undefined.

        :param needle: (start, end) in tokens
        :param needle_against_context: also the needle's share of what each block reads, which costs more
        """
        found = self.client.api.get_run_signal(
            self.id,
            model=model,
            position=position,
            target=target,
            needle=None if needle is None else f"{needle[0]},{needle[1]}",
            lens=lens,  # type: ignore[arg-type]
            with_="needle_against_context" if needle_against_context else None,
        )
        about = {name: found[name] for name in ("position", "target", "needle", "lens")}
        curves = {name: value for name, value in found.items() if name not in (*about, "entries") and value is not None}
        labels = {"entry": found["entries"]}
        return {name: Array(_nan(curve), ("entry",), labels, about) for name, curve in curves.items()}  # type: ignore[arg-type]

    def channels(self, layer: int, *, model: int = 0) -> Dict[str, Array]:
        """Statistics of every channel or head of a layer as ``branch.statistic``, and ``branch.delta`` at every token."""
        found = self.client.api.get_run_channels(self.id, layer=layer, model=model)
        unit = found.metadata["unit"]
        over = self._over(model, "position")
        return {
            name: Array(data, (unit,), None, found.metadata)
            if data.ndim == 1
            else Array(data, ("position", unit), over, found.metadata)
            for name, data in found.arrays.items()
        }

    def tracks(self, layer: int, *, model: int = 0, unit: Union[int, str] = "mean") -> Dict[str, Array]:
        """What every token does in the scans of a layer, as ``branch.track``: Δ, decay, half-life, gate, norm of the state."""
        found = self.client.api.get_run_tracks(self.id, layer=layer, model=model, unit=str(unit))
        over = self._over(model, "position")
        return {name: Array(data, ("position",), over, found.metadata) for name, data in found.arrays.items()}

    def pair(
        self,
        layer: int,
        destination: int,
        source: int,
        *,
        model: int = 0,
        branch: Optional[str] = None,
        form: str = "s6",
        k: int = 10,
    ) -> Array:
        """The channels or heads that read most from one token at another, strongest first."""
        found = self.client.api.get_run_pair(
            self.id, layer=layer, i=destination, j=source, model=model, branch=branch, form=form, k=k  # type: ignore[arg-type]
        )
        channels = found["channels"]
        unit = found["unit"]
        return Array([each["value"] for each in channels], (unit,), {unit: [each["index"] for each in channels]})

    def attribution(self, *, model: int = 0, target: Optional[int] = None, position: Optional[int] = None) -> Array:
        """Direct logit attribution: what the embedding, every block and every branch add to a logit."""
        found = self.client.api.get_run_attribution(self.id, model=model, target=target, position=position)
        parts = found["components"]
        about = {name: value for name, value in found.items() if name != "components"}
        labels = {"component": [(each["block"], each["part"]) for each in parts]}
        return Array([each["contribution"] for each in parts], ("component",), labels, about)

    def answer(self, *, model: int = 0, answer: Sequence[int] = (), position: Optional[int] = None) -> Array:
        """ln p of all tokens of an answer after the prompt, each given those before it; their sum is ``about["logprob"]``."""
        found = self.client.api.get_run_answer(
            self.id, model=model, position=position, answer=",".join(map(str, answer)) or None
        )
        about = {"position": found["position"], "logprob": found["logprob"]}
        labels = {"token": [each["id"] for each in found["tokens"]]}
        return Array(_nan([each["logprob"] for each in found["tokens"]]), ("token",), labels, about)

    def allocation(
        self,
        *,
        model: int = 0,
        position: Optional[int] = None,
        target: Optional[int] = None,
        foil: Optional[int] = None,
        needle: Optional[Tuple[int, int]] = None,
        competing: Sequence[Tuple[int, int]] = (),
        question: Sequence[Tuple[int, int]] = (),
    ) -> Dict[str, Array]:
        """What every layer reads at one token by class of token: ``net.norm_share``, ``branch_1.logit`` … [layer, class],
        and ``needle_against_context``, ``chance`` and ``reconstruction_error`` [layer]. Spans are (start, end) in tokens."""
        spans = {"competing": competing, "question": question}
        found = self.client.api.get_run_allocation(
            self.id,
            model=model,
            position=position,
            target=target,
            foil=foil,
            needle=None if needle is None else f"{needle[0]},{needle[1]}",
            **{name: ";".join(f"{a},{b}" for a, b in of) or None for name, of in spans.items()},
        )
        return allocation_arrays(found["layers"], {"position": found["position"], "classes": found["classes"]})

    def export(self, what: str, format: str, **query: Any) -> bytes:
        """The numbers of a reading as a file: ``what`` map, rollout, signal or lens, ``format`` csv, npz, safetensors or json."""
        return self.client.api.get_run_export(self.id, what=what, format=format, **query)  # type: ignore[arg-type]

    # Showing it

    def show(self, layer: Optional[int] = None, *, height: int = 900) -> "Page":
        """For a notebook: the live page while the server runs, and below nbconvert or without it figures that need no server.

        :param layer: whose maps the figures show; the last by default
        """
        from .figures import Page

        return Page(self, layer, height)


def _mean(value: Any) -> float:
    return np.nan if value is None else float(value["mean"])


def allocation_arrays(layers: Sequence[AllocationLayers], about: Dict[str, Any]) -> Dict[str, Array]:
    """What an allocation answers, as arrays over its layers."""
    result: Dict[str, Array] = {}
    labels: Dict[str, Sequence[Any]] = {"layer": [each["layer"] for each in layers]}
    each: Any
    for part in ("net", "branch_1", "lambda_branch_2"):
        reads: List[Any] = [each.get(part) for each in layers]
        first = next((each for each in reads if each), None)
        if first is None:
            continue
        for measure in SPAN_MEASURES:
            names = list(first[measure])
            rows = [[_mean(each[measure][name]) if each else np.nan for name in names] for each in reads]
            result[f"{part}.{measure}"] = Array(rows, ("layer", "class"), {**labels, "class": names}, about)
        shares = [_mean(each["needle_against_context"]) if each else np.nan for each in reads]
        result[f"{part}.needle_against_context"] = Array(shares, ("layer",), labels, about)
    for measure in ("removed", "cosine", "rejection_db"):
        reads = [each.get(measure) for each in layers]
        first = next((each for each in reads if each), None)
        if first is not None:
            rows = [[_mean(each[name]) if each else np.nan for name in first] for each in reads]
            result[measure] = Array(rows, ("layer", "class"), {**labels, "class": list(first)}, about)
    counts = [[each["tokens"][name] for name in layers[0]["tokens"]] for each in layers]  # type: ignore[literal-required]
    result["tokens"] = Array(counts, ("layer", "class"), {**labels, "class": list(layers[0]["tokens"])}, about)
    result["chance"] = Array(_nan([each["chance"] for each in layers]), ("layer",), labels, about)
    result["reconstruction_error"] = Array(
        [each["reconstruction_error"] for each in layers], ("layer",), labels, about
    )
    return result
