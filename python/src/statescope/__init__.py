"""Statescope from Python: start or connect to a server, run models, read every map and curve as numpy arrays.

>>> import statescope
>>> with statescope.serve() as client:
...     run = client.run("demo-mamba2", "Mary entered the kitchen. Where is Mary? Answer:", target="kitchen")
...     run.map(2).values.shape
"""

from ._http import Event, StatescopeError, Tensors
from .array import Array
from .client import Client, connect
from .run import Progress, Run
from .server import Server, serve
from .torch_export import export_torch

__all__ = ["Array", "Client", "Event", "Progress", "Run", "Server", "StatescopeError", "Tensors", "connect", "export_torch", "serve"]
