"""Starting a Statescope that ends with this program."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Deque, List, Mapping, Optional, Union

from ._http import StatescopeError
from .client import Client

WHERE = (
    "Statescope was not found: give serve(root=FOLDER) the folder of a clone, set STATESCOPE_ROOT to it, start Python inside it, "
    'or install the command with "npm install --global statescope".'
)


def _is_clone(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "package.json").read_text(encoding="utf-8"))["name"] == "statescope")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find(root: Union[str, "os.PathLike[str]", None] = None) -> List[str]:
    """The command that serves: of the folder that is named, of a clone around the working folder or this package, or of the
    installed command line. :raises StatescopeError: where there is none"""
    named = root or os.environ.get("STATESCOPE_ROOT")
    if named:
        folder = Path(named).expanduser().resolve()
        if not _is_clone(folder):
            raise StatescopeError(f"{folder} is no clone of Statescope: its package.json does not say so.")
        return _node(folder)
    here, package = Path.cwd(), Path(__file__).resolve()
    for folder in (here, *here.parents, *package.parents):
        if _is_clone(folder):
            return _node(folder)
    installed = shutil.which("statescope")
    if installed:
        return [installed, "serve"]
    raise StatescopeError(WHERE)


def _node(folder: Path) -> List[str]:
    node = shutil.which("node")
    if node is None:
        raise StatescopeError("Node is not on the PATH: Statescope needs Node 20.19 or newer.")
    return [node, str(folder / "scripts" / "statescope.mjs"), "serve"]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Server:
    """A server of this program's own. It ends with ``stop``, with the ``with`` block, and with the program, however that ends."""

    def __init__(self, command: List[str], env: Mapping[str, str], port: int, quiet: bool) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._lines: Deque[str] = deque(maxlen=200)
        # It ends when its standard input does: the operating system closes that with this program.
        self._process = subprocess.Popen(
            [*command, "--until-input-ends"],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, args=(quiet,), daemon=True)
        self._reader.start()
        atexit.register(self.stop)
        self.client = Client(self.url, env.get("STATESCOPE_TOKEN") or None)
        self.client.framed = not env.get("STATESCOPE_TOKEN")

    def _read(self, quiet: bool) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            if not quiet:
                sys.stderr.write(line)

    @property
    def log(self) -> str:
        """The last lines that it has written."""
        return "".join(self._lines)

    def wait(self) -> None:
        """Waits until its device is open. :raises StatescopeError: with what it said where it ended instead"""
        while True:
            try:
                health = self.client.health()
                if health["status"] == "failed":
                    raise StatescopeError(f"Statescope cannot compute: {health.get('error', self.log)}", 503)
                if health["status"] == "ready":
                    return
            except StatescopeError as error:
                if error.status != 0:
                    raise
            if self._process.poll() is not None:
                self._reader.join(1)
                raise StatescopeError(f"Statescope did not start:\n{self.log.strip()}")
            time.sleep(0.25)

    def stop(self) -> None:
        atexit.unregister(self.stop)
        self.client.close()
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Client:
        return self.client

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(
    *,
    root: Union[str, "os.PathLike[str]", None] = None,
    data: Union[str, "os.PathLike[str]", None] = None,
    models: Union[str, "os.PathLike[str]", None] = None,
    port: Optional[int] = None,
    env: Optional[Mapping[str, str]] = None,
    quiet: bool = True,
) -> Server:
    """Starts a server on this machine and waits until it can compute. ``server.client`` asks it; ``with serve() as client`` too.

    The first start in a clone builds what is missing, which takes minutes; ``quiet=False`` shows what it says.

    :param root: the folder of a clone; found by itself where Python runs inside one, or the command line is installed
    :param data: where runs are kept (``STATESCOPE_DATA``)
    :param models: further folders of models (``STATESCOPE_MODELS``)
    :param env: further settings (docs/deploy.md)
    :raises StatescopeError: where there is no Statescope, or it does not start
    """
    command = find(root)
    chosen = port or _free_port()
    settings = {
        **os.environ,
        "PORT": str(chosen),
        "STATESCOPE_HOST": "127.0.0.1",
        "STATESCOPE_FRAMED_BY": "local",
        **({} if data is None else {"STATESCOPE_DATA": str(data)}),
        **({} if models is None else {"STATESCOPE_MODELS": str(models)}),
        **(env or {}),
    }
    server = Server(command, settings, chosen, quiet)
    try:
        server.wait()
    except BaseException:
        server.stop()
        raise
    return server
