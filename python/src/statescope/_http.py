"""What asks the server: JSON, tensors and event streams over HTTP, and its refusals as exceptions."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional
from urllib.parse import quote as _quote

import httpx
import numpy as np
from safetensors.numpy import load


class StatescopeError(Exception):
    """What went wrong, in the server's own sentence. ``status`` is that of HTTP, 0 where nothing answered."""

    def __init__(self, message: str, status: int = 0, hint: Optional[str] = None) -> None:
        super().__init__(f"{message} {hint}" if hint else message)
        self.message = message
        self.status = status
        self.hint = hint


class Event(NamedTuple):
    """One server-sent event; ``data`` is what its JSON holds."""

    name: str
    data: Any


class Tensors(NamedTuple):
    """A safetensors body: arrays by name, and what ``__metadata__`` says of them, as text."""

    arrays: Mapping[str, "np.ndarray[Any, Any]"]
    metadata: Mapping[str, str]


def quote(part: str) -> str:
    return _quote(part, safe="")


def _in_url(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def tensors_of(body: bytes) -> Tensors:
    size = int.from_bytes(body[:8], "little")
    header: Dict[str, Any] = json.loads(body[8 : 8 + size])
    return Tensors(load(body), header.get("__metadata__", {}))


def _refusal(response: httpx.Response) -> StatescopeError:
    try:
        error = response.json()["error"]
        return StatescopeError(error["message"], response.status_code, error.get("hint"))
    except (ValueError, KeyError, TypeError):
        return StatescopeError(f"The server answered with status {response.status_code}.", response.status_code)


class Http:
    """A connection to one server.

    Computing a map or a rollout may take long, so answers are waited for without a limit; only the connection has one.
    """

    def __init__(self, url: str, token: Optional[str] = None, transport: Optional[httpx.BaseTransport] = None) -> None:
        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(None, connect=10.0)
        # Proxies of the environment are for the world outside; the server is named by its address.
        self._client = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=False, transport=transport
        )

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None, body: Any = None) -> httpx.Response:
        params = {name: _in_url(value) for name, value in (query or {}).items() if value is not None}
        try:
            response = self._client.request(method, path, params=params, **({} if body is None else {"json": body}))
        except httpx.HTTPError as error:
            raise StatescopeError(f"{self.url} does not answer: {error}.", 0, "Check that Statescope is running.") from error
        if response.is_success:
            return response
        raise _refusal(response)

    def _json(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None, body: Any = None) -> Any:
        return self._send(method, path, query, body).json()

    def _bytes(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None) -> bytes:
        return self._send(method, path, query).content

    def _tensors(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None) -> Tensors:
        return tensors_of(self._send(method, path, query).content)

    def _events(self, method: str, path: str, query: Optional[Mapping[str, Any]] = None, body: Any = None) -> Iterator[Event]:
        params = {name: _in_url(value) for name, value in (query or {}).items() if value is not None}
        try:
            with self._client.stream(method, path, params=params, **({} if body is None else {"json": body})) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(response)
                name = ""
                data: List[str] = []
                for line in response.iter_lines():
                    if line == "":
                        if data:
                            yield Event(name or "message", json.loads("\n".join(data)))
                        name, data = "", []
                    elif line.startswith("event:"):
                        name = line[6:].strip()
                    elif line.startswith("data:"):
                        data.append(line[5:].lstrip(" "))
        except httpx.HTTPError as error:
            raise StatescopeError(f"The connection to {self.url} was lost: {error}.", 0) from error
