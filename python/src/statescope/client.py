"""Asking a server for runs."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple, Union, cast

import httpx

from ._api import Api, Health, ModelListModels, RunRequest
from ._http import StatescopeError
from .run import Progress, Run

Span = Tuple[int, int]


def _utf16(text: str, index: int) -> int:
    """An index of Python in the units that the server counts characters by."""
    return len(text[:index].encode("utf-16-le")) // 2


def span_of(prompt: str, needle: Union[str, Span]) -> List[int]:
    """Where the needle stands, as the server counts. :raises ValueError: where its text does not occur exactly once."""
    if isinstance(needle, str):
        found = prompt.count(needle) if needle else 0
        if found != 1:
            raise ValueError(
                f"The needle {needle!r} occurs {found} times in the prompt: give (start, end) in characters."
            )
        start = prompt.index(needle)
        needle = (start, start + len(needle))
    return [_utf16(prompt, end) for end in needle]


class Client:
    """A running Statescope.

    ``client.api`` has every operation of its HTTP API; the methods here are what one asks for most.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:3000",
        token: Optional[str] = None,
        transport: Optional[httpx.BaseTransport] = None,
    ) -> None:
        self.api = Api(url, token, transport)
        self.framed = False
        """Whether the server lets pages of this machine show it in a frame, as one that ``serve`` has started does."""

    @property
    def url(self) -> str:
        return self.api.url

    def health(self) -> Health:
        return self.api.get_health()

    def models(self) -> Sequence[ModelListModels]:
        return self.api.get_models()["models"]

    def run(
        self,
        model: Union[str, Sequence[str]],
        prompt: str,
        *,
        target: str,
        needle: Union[str, Span, None] = None,
        position: int = -1,
        candidates: Optional[Sequence[str]] = None,
        progress: Union[bool, Callable[[Progress], None]] = True,
        wait: bool = True,
    ) -> Run:
        """Runs one model, or two to compare, over a prompt, and waits for it. Interrupting (Ctrl-C) cancels the run.

        :param target: the answer whose probability is followed through the layers
        :param needle: what decides the answer: its text, or (start, end) in characters of the prompt
        :param position: the token at which signals are read
        :param progress: False says nothing; a function is told instead of stderr
        :param wait: False hands the run over at once: ``run.wait()`` and ``run.cancel()`` follow it
        :raises StatescopeError: in the server's sentence
        """
        request = cast(
            RunRequest,
            {
                "models": [model] if isinstance(model, str) else list(model),
                "prompt": prompt,
                "target": target,
                "position": position,
                **({} if needle is None else {"needle": span_of(prompt, needle)}),
                **({} if candidates is None else {"candidates": list(candidates)}),
            },
        )
        run = Run(self, self.api.post_runs(request)["id"])
        return run.wait(progress) if wait else run

    def open(self, id: str) -> Run:
        """A run that the server knows. :raises StatescopeError: 404 where it does not."""
        run = Run(self, id)
        run.refresh()
        return run

    def runs(self) -> Sequence[Any]:
        """What the server keeps, newest first."""
        return self.api.get_runs()["runs"]

    def close(self) -> None:
        self.api.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def connect(url: str = "http://127.0.0.1:3000", token: Optional[str] = None) -> Client:
    """A client of a server that runs already. :raises StatescopeError: where none answers."""
    client = Client(url, token)
    health = client.health()
    if health["status"] == "failed":
        raise StatescopeError(f"Statescope at {url} cannot compute: {health.get('error', 'its worker has failed')}")
    return client
