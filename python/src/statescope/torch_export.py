"""Runs a model in PyTorch, on whatever device, and writes the run as Statescope keeps its own: the page opens it without the weights.

The equations are those of Statescope (docs/equations.md), in float32, one block at a time: a block's weights are on the device while it
computes and no longer.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from safetensors.numpy import save_file

STORED_FORMAT = 5
"""Of what is written beside the arrays; Statescope reads older ones too."""
RECORD_FORMAT = "statescope run 1"
TOP_TOKENS = 8
SUBLN_EPSILON = 1e-5
GRANITE = "hf-granitemoehybrid"
WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
OWN_NAME = re.compile(r"^(?:.*?\.)?((?:embeddings?|norm_f)\.weight|layers\.\d+\..+)$")
PLAIN_NAME = re.compile(r"^(?:.*?\.)?(embed_tokens|norm)\.weight$")
PLAIN_NAMES = {"embed_tokens": "backbone.embeddings.weight", "norm": "backbone.norm_f.weight"}
RUN_ID = re.compile(r"^[0-9a-f]{8}$")

Arrays = Dict[str, "np.ndarray[Any, Any]"]
Named = Union[int, str]
Span = Tuple[int, int]


class Sizes(NamedTuple):
    """Of one mixer: widths, states, taps, rank, heads, channels a head, groups."""

    d: int
    E: int
    N: int
    K: int
    R: int
    H: int
    P: int
    G: int
    limit: Tuple[float, float]
    use_bias: bool
    use_conv_bias: bool
    epsilon: float

    def json(self) -> Dict[str, Any]:
        own = {name: getattr(self, name) for name in ("d", "E", "N", "K", "R", "H", "P", "G", "epsilon")}
        limit = [_number(end) for end in self.limit]
        return {**own, "timeStepLimit": limit, "useBias": self.use_bias, "useConvBias": self.use_conv_bias}


class Attention(NamedTuple):
    """Query heads, key heads, components a head, factor of the products, θ of rope, biases."""

    H: int
    KV: int
    D: int
    scale: float
    theta: Optional[float]
    use_bias: bool

    def json(self) -> Dict[str, Any]:
        sizes = {"H": self.H, "KV": self.KV, "D": self.D, "scale": self.scale, "useBias": self.use_bias, "input": 1, "keys": 1}
        return sizes if self.theta is None else {**sizes, "rope": {"theta": self.theta, "width": self.D}}


class Beside(NamedTuple):
    """What a block of Granite has beside Mamba-2: an MLP of that width, attention in the place of the scan, the multiplier of both."""

    width: int
    multiplier: float
    epsilon: float
    attention: Optional[Attention]

    def json(self) -> Dict[str, Any]:
        r = self.multiplier
        own: Dict[str, Any] = {"epsilon": self.epsilon, "scales": {"mamba": r, "attention": r, "mlp": r}}
        own["mlp"] = {"width": self.width, "useBias": False, "gate": 1, "output": 1}
        return own if self.attention is None else {**own, "attention": self.attention.json()}


class Block(NamedTuple):
    kind: str
    mixer: Sizes
    lambda_init: Optional[float] = None
    beside: Optional[Beside] = None

    @property
    def norm(self) -> str:
        return "norm.weight" if self.beside is None else "input_layernorm.weight"

    @property
    def attention(self) -> Optional[Attention]:
        return None if self.beside is None else self.beside.attention

    @property
    def mixers(self) -> Sequence[Tuple[str, str]]:
        """Names of the scans, and where their tensors lie below the block."""
        if self.beside is not None:
            return [] if self.beside.attention else [("single", "mamba")]
        if self.lambda_init is None:
            return [("single", "mixer")]
        return [("mixer_1", "mixer_1"), ("mixer_2", "mixer_2")]

    def json(self) -> Dict[str, Any]:
        plain = {"kind": self.kind, "mixer": self.mixer.json()}
        if self.beside is not None:
            return {**plain, **self.beside.json()}
        if self.lambda_init is None:
            return plain
        return {**plain, "lambda": "sigmoid_sum", "lambdaInit": self.lambda_init, "subln": True}


class Config(NamedTuple):
    format: str
    d: int
    V: int
    epsilon: float
    tied: bool
    blocks: Sequence[Block]
    embedding_scale: float = 1.0
    logit_scale: float = 1.0

    def json(self, vocabulary: int, tied: bool) -> Dict[str, Any]:
        own = {"format": self.format, "d": self.d, "V": self.V, "vocabulary": vocabulary, "epsilon": self.epsilon, "tied": tied}
        scales = {"scales": {"embedding": self.embedding_scale, "logits": self.logit_scale}} if self.format == GRANITE else {}
        return {**own, **scales, "blocks": [block.json() for block in self.blocks]}


def _number(value: float) -> Any:
    """What JSON cannot hold has a word."""
    return value if math.isfinite(value) else {"$number": "Infinity" if value > 0 else "-Infinity" if value < 0 else "NaN"}


def _refuse(sentence: str) -> ValueError:
    return ValueError(f"{sentence} export_torch runs mamba, falcon_mamba, mamba2, granitemoehybrid without experts, Diff-Mamba-2 and Statescope's own files of these.")


def _own_config(fields: Mapping[str, Any]) -> Config:
    """Of Statescope's own format, where a size is one number or one for each block."""
    n, d = int(fields["num_hidden_layers"]), int(fields["hidden_size"])
    epsilon = float(fields.get("layer_norm_epsilon", 1e-5))
    flags = (bool(fields.get("use_bias", False)), bool(fields.get("use_conv_bias", True)))
    low, high = _limits(fields)

    def of(field: str, i: int, default: Any = None) -> Any:
        value = fields.get(field)
        value = value[i] if isinstance(value, list) else value
        return default if value is None else value

    def block(i: int) -> Block:
        kind = of("layers", i)
        if kind not in ("mamba1", "falcon_mamba", "mamba2", "diff_mamba2"):
            raise _refuse(f"Block {i} is of the kind {kind!r}.")
        differential = kind == "diff_mamba2"
        E, N, K = int(of("expand", i, 1 if differential else 2) * d), int(of("state_size", i)), int(of("conv_kernel", i, 4))
        if kind in ("mamba1", "falcon_mamba"):
            rank = of("time_step_rank", i, "auto")
            R = math.ceil(d / 16) if rank == "auto" else int(rank)
            own = float(of("mixer_rms_eps", i, 1e-6)) if kind == "falcon_mamba" else epsilon
            return Block(kind, Sizes(d, E, N, K, R, 0, 0, 0, (0.0, math.inf), *flags, own))
        P, G = int(of("head_dim", i)), int(of("n_groups", i, 1))
        mixer = Sizes(d, E, N, K, 0, E // P, P, G, (low, high), *flags, epsilon)
        if not differential:
            return Block(kind, mixer)
        if of("lambda", i, "sigmoid_sum") != "sigmoid_sum" or not of("subln", i, True):
            raise _refuse(f"Block {i} has another form of λ or no norm of the difference.")
        return Block(kind, mixer, float(of("lambda_init", i, 0.8 - 0.6 * math.exp(-0.3 * i))))

    tied = bool(fields.get("tie_word_embeddings", True))
    return Config("statescope", d, int(fields["vocab_size"]), epsilon, tied, [block(i) for i in range(n)])


def _limits(fields: Mapping[str, Any]) -> Tuple[float, float]:
    """Δ is clamped to these. Newer configs spell what JSON cannot hold."""
    ends = fields.get("time_step_limit") or (0.0, math.inf)
    low, high = (float(end["__float__"] if isinstance(end, dict) else end) for end in ends)
    return low, high


def _granite_config(fields: Mapping[str, Any]) -> Config:
    """Granite 4.0-H without experts: Mamba-2 or attention, then an MLP, each times the residual multiplier."""
    if int(fields.get("num_local_experts", 8)) != 0:
        raise _refuse("The model is a mixture of experts.")
    d, V = int(fields["hidden_size"]), int(fields["vocab_size"])
    epsilon = float(fields.get("rms_norm_eps", 1e-6))
    width, r = int(fields.get("shared_intermediate_size", 1024)), float(fields.get("residual_multiplier", 1.0))
    heads = int(fields["num_attention_heads"])
    KV = int(fields.get("num_key_value_heads") or heads)
    rope = fields.get("rope_parameters") or fields.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default" or rope.get("partial_rotary_factor", 1) != 1:
        raise _refuse("The model turns by scaled frequencies.")
    theta = float(rope.get("rope_theta") or fields.get("rope_theta") or 10000.0)
    scale, bias = float(fields.get("attention_multiplier", 1.0)), bool(fields.get("attention_bias", False))
    turned = theta if fields.get("position_embedding_type") == "rope" else None
    attention = Attention(heads, KV, d // heads, scale, turned, bias)
    E, H, G = int(fields.get("mamba_expand", 2) * d), int(fields["mamba_n_heads"]), int(fields.get("mamba_n_groups", 1))
    flags = (bool(fields.get("mamba_proj_bias", False)), bool(fields.get("mamba_conv_bias", True)))
    N, K = int(fields.get("mamba_d_state", 256)), int(fields.get("mamba_d_conv", 4))
    scan = Sizes(d, E, N, K, 0, H, E // H, G, _limits(fields), *flags, epsilon)
    none = Sizes(d, heads * (d // heads), 0, 0, 0, 0, 0, 0, (0.0, math.inf), False, False, 0.0)
    layers = fields.get("layer_types") or fields.get("layers_block_type") or []
    known = {"mamba": False, "linear_attention": False, "attention": True, "full_attention": True}
    stray = [layer for layer in layers if layer not in known]
    if stray or not layers:
        raise _refuse(f"The model has layers of the type {stray[0]!r}." if stray else "The config names no layers.")
    blocks = [
        Block("granite_attention", none, None, Beside(width, r, epsilon, attention))
        if known[layer]
        else Block("granite_mamba2", scan, None, Beside(width, r, epsilon, None))
        for layer in layers
    ]
    tied = bool(fields.get("tie_word_embeddings", True))
    scales = (float(fields.get("embedding_multiplier", 1.0)), 1 / float(fields.get("logits_scaling", 1.0)))
    return Config(GRANITE, d, V, epsilon, tied, blocks, *scales)


def read_config(fields: Mapping[str, Any], names: Sequence[str]) -> Config:
    """The sizes that a Hugging Face config says. :raises ValueError: where it is of another kind"""
    kind = fields.get("model_type")
    if kind == "statescope":
        return _own_config(fields)
    if kind not in ("mamba", "falcon_mamba", "mamba2", "granitemoehybrid"):
        raise _refuse(f"The model is of the type {kind!r}.")
    if fields.get("hidden_act", "silu") not in ("silu", "swish"):
        raise _refuse(f"The activation {fields['hidden_act']!r} is not computed.")
    if kind == "granitemoehybrid":
        return _granite_config(fields)
    d, V = int(fields["hidden_size"]), int(fields["vocab_size"])
    epsilon = float(fields.get("layer_norm_epsilon", 1e-5))
    n = int(fields["num_hidden_layers"])
    flags = (bool(fields.get("use_bias", False)), bool(fields.get("use_conv_bias", True)))
    K = int(fields.get("conv_kernel", 4))
    if kind != "mamba2":
        falcon = kind == "falcon_mamba" or "mixer_rms_eps" in fields
        E = int(fields.get("intermediate_size") or 0) if falcon else 0
        E = E or int(fields.get("expand", 2) * d)
        R = fields.get("time_step_rank", "auto")
        rank = math.ceil(d / 16) if R == "auto" else int(R)
        own = float(fields.get("mixer_rms_eps", 1e-6)) if falcon else epsilon
        mixer = Sizes(d, E, int(fields.get("state_size", 16)), K, rank, 0, 0, 0, (0.0, math.inf), *flags, own)
        block = Block("falcon_mamba" if falcon else "mamba1", mixer)
        tied = bool(fields.get("tie_word_embeddings", True))
        return Config("hf-falcon-mamba" if falcon else "hf-mamba", d, V, epsilon, tied, [block] * n)
    P, G, N = int(fields.get("head_dim", 64)), int(fields.get("n_groups", 8)), int(fields.get("state_size", 128))
    E = int(fields.get("expand", 2) * d)
    low, high = _limits(fields)
    plain = Sizes(d, E, N, K, 0, E // P, P, G, (low, high), *flags, epsilon)
    half = Sizes(d, d, N, K, 0, 2 * d // P, P // 2, G, (low, high), *flags, epsilon)
    authors = bool(fields.get("diffmamba", False))
    blocks = []
    for i in range(n):
        if authors and f"backbone.layers.{i}.lambda_q1" in names:
            blocks.append(Block("diff_mamba2", half, 0.8 - 0.6 * math.exp(-0.3 * i)))
        else:
            blocks.append(Block("mamba2", plain))
    tied = bool(fields.get("tie_word_embeddings", False))
    return Config("hf-diffmamba2" if authors else "hf-mamba2", d, V, epsilon, tied, blocks)


class Weights:
    """Tensors by their names of Hugging Face, read one at a time, in float32 on the device."""

    def __init__(self, names: Sequence[str], read: Callable[[str], Any], device: Any) -> None:
        self._names = {self._own(name): name for name in names}
        self._read = read
        self._device = device

    @staticmethod
    def _own(name: str) -> str:
        bare = WRAPPERS.sub("", name)
        if bare.endswith("lm_head.weight"):
            return "lm_head.weight"
        found = OWN_NAME.match(bare)
        other = None if found else PLAIN_NAME.match(bare)
        if other:
            return PLAIN_NAMES[other.group(1)]
        return f"backbone.{found.group(1).replace('embedding.', 'embeddings.', 1)}" if found else bare

    @property
    def names(self) -> Sequence[str]:
        return list(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise ValueError(f"The model has no tensor {name}.")
        found = self._read(self._names[name])
        if found.is_meta:
            raise ValueError(f"The weights of {name} are not loaded (device meta): load the model without offloading, or give its folder.")
        return found.detach().to(device=self._device, dtype=_torch().float32)

    def get(self, name: str) -> Any:
        return self[name] if name in self else None


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("export_torch needs PyTorch: pip install torch.") from error
    return torch


def _of_folder(folder: Path, device: Any) -> Tuple[Mapping[str, Any], Weights]:
    torch = _torch()
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    index = folder / "model.safetensors.index.json"
    files = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() else ["model.safetensors"]
    if (folder / files[0]).exists():
        from safetensors import safe_open

        opened = [safe_open(str(folder / file), framework="pt") for file in files]
        place: Dict[str, Any] = {name: file for file in opened for name in file.keys()}  # type: ignore[no-untyped-call]
        return fields, Weights(list(place), lambda name: place[name].get_tensor(name), device)
    pickled = folder / "pytorch_model.bin"
    if not pickled.exists():
        raise ValueError(f"{folder} holds neither model.safetensors nor pytorch_model.bin.")
    state = torch.load(pickled, map_location="cpu", weights_only=True)
    return fields, Weights(list(state), state.__getitem__, device)


def _linear(x: Any, w: Weights, name: str) -> Any:
    return _torch().nn.functional.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def _rms(x: Any, weight: Any, epsilon: float, groups: int = 1) -> Any:
    slices = x.reshape(*x.shape[:-1], groups, -1)
    normed = (slices * (slices.square().mean(-1, keepdim=True) + epsilon).rsqrt()).reshape(x.shape)
    return normed if weight is None else normed * weight


class Scan(NamedTuple):
    """What a mixer's scan read and gave, and what its row at the token that is read brings in, by source [p+1,E] and of none [E]."""

    arrays: Mapping[str, Any]
    inner: Any
    sources: Any
    free: Any


def _convolved(x0: Any, w: Weights, name: str) -> Any:
    weight, bias = w[f"{name}.weight"], w.get(f"{name}.bias")
    K = weight.shape[-1]
    return _torch().nn.functional.conv1d(x0.T[None], weight, bias, padding=K - 1, groups=weight.shape[0])[0, :, : x0.shape[0]].T


def _row(x0: Any, pre: Any, w: Weights, conv: str, alpha: Any, scale: Any, E: int) -> Tuple[Any, Any]:
    """Row p of the block's operator times its input. :param alpha: [p+1,E], D included"""
    torch = _torch()
    p = alpha.shape[0] - 1
    t = alpha * torch.sigmoid(pre[: p + 1])
    taps = w[f"{conv}.weight"][:E, 0]
    K = taps.shape[1]
    summed = torch.zeros_like(t)
    for m in range(min(K, p + 1)):
        summed[: p + 1 - m] += taps[:, K - 1 - m] * t[m:]
    bias = w.get(f"{conv}.bias")
    free = None if bias is None else scale * bias[:E] * t.sum(0)
    return scale * x0[: p + 1] * summed, free


def _mamba1(u: Any, w: Weights, at: str, m: Sizes, falcon: bool, p: int) -> Scan:
    torch = _torch()
    silu = torch.nn.functional.silu
    x0, z = _linear(u, w, f"{at}.in_proj").split(m.E, -1)
    pre = _convolved(x0, w, f"{at}.conv1d")
    x = silu(pre)
    low, B, C = _linear(x, w, f"{at}.x_proj").split([m.R, m.N, m.N], -1)
    if falcon:
        low, B, C = (_rms(each, None, m.epsilon) for each in (low, B, C))
    delta = torch.nn.functional.softplus(_linear(low, w, f"{at}.dt_proj"))
    A = -torch.exp(w[f"{at}.A_log"])
    D = w[f"{at}.D"]
    state = torch.zeros_like(A)
    y = torch.empty_like(x)
    for t in range(len(u)):
        state = torch.exp(delta[t][:, None] * A) * state + (delta[t] * x[t])[:, None] * B[t]
        y[t] = state @ C[t]
    inner = (y + D * x) * silu(z)
    alpha = torch.empty_like(x[: p + 1])
    back = C[p].expand(m.E, m.N)
    for k in range(p, -1, -1):
        alpha[k] = delta[k] * (back @ B[k])
        back = torch.exp(delta[k][:, None] * A) * back
    alpha[p] += D
    sources, free = _row(x0, pre, w, f"{at}.conv1d", alpha, silu(z[p]), m.E)
    return Scan({"delta": delta, "A": A, "B": B, "C": C, "x": x, "y": y, "x0": x0, "z": z}, inner, sources, free)


def _mamba2(u: Any, w: Weights, at: str, m: Sizes, p: int) -> Scan:
    torch = _torch()
    silu = torch.nn.functional.silu
    L, GN = len(u), m.G * m.N
    z, xBC0, dt = _linear(u, w, f"{at}.in_proj").split([m.E, m.E + 2 * GN, m.H], -1)
    pre = _convolved(xBC0, w, f"{at}.conv1d")
    x, B, C = silu(pre).split([m.E, GN, GN], -1)
    delta = torch.nn.functional.softplus(dt + w[f"{at}.dt_bias"]).clamp(*m.limit)
    A = -torch.exp(w[f"{at}.A_log"])
    D = w[f"{at}.D"].repeat_interleave(m.P)
    heads = x.reshape(L, m.H, m.P)
    of_heads = [each.reshape(L, m.G, m.N).repeat_interleave(m.H // m.G, 1) for each in (B, C)]
    state = x.new_zeros(m.H, m.P, m.N)
    y = torch.empty_like(heads)
    for t in range(L):
        write = (delta[t][:, None] * heads[t])[:, :, None] * of_heads[0][t][:, None]
        state = torch.exp(delta[t] * A)[:, None, None] * state + write
        y[t] = (state * of_heads[1][t][:, None]).sum(-1)
    y = y.reshape(L, m.E)
    given = y + D * x
    norm = w[f"{at}.norm.weight"]
    inner = _rms(given * silu(z), norm, m.epsilon, m.G)
    alpha = x.new_empty(p + 1, m.H)
    back = of_heads[1][p]
    for k in range(p, -1, -1):
        alpha[k] = delta[k] * (back * of_heads[0][k]).sum(-1)
        back = torch.exp(delta[k] * A)[:, None] * back
    wide = alpha.repeat_interleave(m.P, 1)
    wide[p] += D
    gate = silu(z[p])
    slices = (given[p] * gate).reshape(m.G, -1)
    inverse = (slices.square().mean(-1, keepdim=True) + m.epsilon).rsqrt().expand_as(slices).reshape(-1)
    x0 = xBC0[:, : m.E]
    sources, free = _row(x0, pre[:, : m.E], w, f"{at}.conv1d", wide, gate * inverse * norm, m.E)
    return Scan({"delta": delta, "A": A, "B": B, "C": C, "x": x, "y": y, "x0": x0, "z": z}, inner, sources, free)


def _turned(x: Any, theta: Optional[float]) -> Any:
    """x [L,heads,D] with pairs (i, i + D/2) turned by the position of their token."""
    if theta is None:
        return x
    torch = _torch()
    L, _, D = x.shape
    turns = 1 / theta ** (torch.arange(0, D, 2, device=x.device, dtype=torch.float32) / D)
    angles = torch.arange(L, device=x.device, dtype=torch.float32)[:, None, None] * turns
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


def _attention(u: Any, w: Weights, at: str, a: Attention, p: int) -> Scan:
    torch = _torch()
    L = len(u)
    q, k, v = (_linear(u, w, f"{at}.{name}_proj").reshape(L, count, a.D) for name, count in (("q", a.H), ("k", a.KV), ("v", a.KV)))
    q, k = _turned(q, a.theta), _turned(k, a.theta)
    keys, values = (each.repeat_interleave(a.H // a.KV, 1) for each in (k, v))
    heads = [each.transpose(0, 1)[None] for each in (q, keys, values)]
    z = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True, scale=a.scale)[0].transpose(0, 1)
    weights = torch.einsum("hd,khd->kh", q[p], keys[: p + 1]).mul(a.scale).softmax(0)
    sources = (weights[:, :, None] * values[: p + 1]).reshape(p + 1, -1)
    return Scan({"q": q, "k": k, "v": v, "z": z}, z.reshape(L, -1), sources, None)


def _mlp(h: Any, w: Weights, prefix: str, beside: Beside) -> Any:
    u = _rms(h, w[f"{prefix}.post_attention_layernorm.weight"], beside.epsilon)
    gate, up = _linear(u, w, f"{prefix}.shared_mlp.input_linear").chunk(2, -1)
    return beside.multiplier * _linear(_torch().nn.functional.silu(gate) * up, w, f"{prefix}.shared_mlp.output_linear")


class Computed(NamedTuple):
    """A block of one run."""

    record: Dict[str, Any]
    reads: Dict[str, Any]
    out: Any


def _array(value: Any) -> "np.ndarray[Any, Any]":
    return np.ascontiguousarray(value.detach().to("cpu", _torch().float32).numpy())


def _block(u: Any, w: Weights, i: int, block: Block, p: int) -> Computed:
    prefix = f"backbone.layers.{i}"
    m = block.mixer
    family = "mamba1" if block.kind in ("mamba1", "falcon_mamba") else "mamba2"
    scans: List[Any] = []
    branches: List[Tuple[Any, Any, Any]] = []
    for name, place in block.mixers:
        at = f"{prefix}.{place}"
        scan = _mamba1(u, w, at, m, block.kind == "falcon_mamba", p) if family == "mamba1" else _mamba2(u, w, at, m, p)
        sizes = {"family": family, "L": len(u), "E": m.E, "N": m.N}
        if family == "mamba2":
            sizes.update(H=m.H, P=m.P, G=m.G)
        scans.append([name, {**sizes, **{key: _array(value) for key, value in scan.arrays.items()}}])
        W, bias = w[f"{at}.out_proj.weight"], w.get(f"{at}.out_proj.bias")
        free = None if scan.free is None else scan.free @ W.T
        if bias is not None:
            free = bias if free is None else free + bias
        branches.append((_linear(scan.inner, w, f"{at}.out_proj"), scan.sources @ W.T, free))
    record: Dict[str, Any] = {"index": i, "kind": block.kind, "scans": {"$map": scans}}
    if block.attention is not None:
        at, a = f"{prefix}.self_attn", block.attention
        read = _attention(u, w, at, a, p)
        heads = {"L": len(u), "H": a.H, "KV": a.KV, "D": a.D, "scale": a.scale}
        record["attention"] = {**heads, **{key: _array(value) for key, value in read.arrays.items()}}
        W = w[f"{at}.o_proj.weight"]
        branches.append((_linear(read.inner, w, f"{at}.o_proj"), read.sources @ W.T, w.get(f"{at}.o_proj.bias")))
    if block.beside is not None:
        r = block.beside.multiplier
        [(out, sources, free)] = branches
        return Computed({**record, "out": _array(r * out)}, {"first": _part(sources, free, r)}, r * out)
    if block.lambda_init is None:
        [(out, sources, free)] = branches
        return Computed({**record, "out": _array(out)}, {"first": _part(sources, free, 1)}, out)
    lambda_ = w[f"{prefix}.lambda_q1"].sum().sigmoid() + block.lambda_init
    diff = branches[0][0] - lambda_ * branches[1][0]
    subln = w[f"{prefix}.subln.weight"]
    out = (1 - block.lambda_init) * _rms(diff, subln, SUBLN_EPSILON)
    scale = (1 - block.lambda_init) * subln * (diff[p].square().mean() + SUBLN_EPSILON).rsqrt()
    record.update({"lambda": float(lambda_), "out": _array(out), "diff": _array(diff)})
    first, second = (_part(sources, free, factor) for (_, sources, free), factor in zip(branches, (scale, scale * lambda_)))
    return Computed(record, {"first": first, "second": second}, out)


def _part(sources: Any, free: Any, factor: Any) -> Dict[str, Any]:
    return {"sources": _array(sources * factor), **({} if free is None else {"free": _array(free * factor)})}


ROWS = 64
"""Positions whose logits exist at a time."""


def _lens(
    streams: Sequence["np.ndarray[Any, Any]"], norm: Any, head: Any, config: Config, target: int, candidates: Sequence[int]
) -> Arrays:
    """Statistics of the logit lens [entries,L] as docs/equations.md defines them, and the strongest tokens [entries,L,k]."""
    torch = _torch()
    seen = [*streams, streams[-1]]
    L, k = len(streams[0]), min(TOP_TOKENS, len(head))
    others = [id for id in dict.fromkeys(candidates) if id != target]
    result: Dict[str, List[Any]] = {}

    def put(**values: Any) -> None:
        for name, value in values.items():
            result.setdefault(name, []).append(value.cpu().numpy())

    def logits(stream: "np.ndarray[Any, Any]", start: int) -> Any:
        rows = torch.from_numpy(stream[start : start + ROWS]).to(head.device)
        return (config.logit_scale * (_rms(rows, norm, config.epsilon) @ head.T)).double()

    for stream in seen:
        for start in range(0, L, ROWS):
            z = logits(stream, start)
            final = logits(seen[-1], start).log_softmax(-1)
            log_p = z.log_softmax(-1)
            if not bool(torch.isfinite(log_p).all()):
                raise ValueError("The logits are not finite: the weights are damaged, or their numbers outgrow float32.")
            zt = z[:, target]
            rest = z.clone()
            rest[:, target] = -math.inf
            top = rest.max(-1).values
            n = z.shape[1] - 1
            mean = (z.sum(-1) - zt) / n
            deviations = (z - mean[:, None]).square()
            std = ((deviations.sum(-1) - deviations[:, target]) / n).sqrt()
            values, ids = z.sort(dim=-1, descending=True, stable=True)
            put(
                target_prob=log_p[:, target].exp(),
                target_logprob=log_p[:, target],
                target_rank=(z > zt[:, None]).sum(-1).double(),
                target_log_odds=zt - rest.logsumexp(-1),
                margin=zt - top,
                margin_std=(zt - top) / std,
                entropy=-(log_p.exp() * log_p).sum(-1),
                kl_final_lens=(final.exp() * (final - log_p)).sum(-1).clamp(min=0),
                kl_lens_final=(log_p.exp() * (log_p - final)).sum(-1).clamp(min=0),
                snr_vocab=(zt - mean) / std,
                top_ids=ids[:, :k],
                top_probs=log_p.gather(1, ids[:, :k]).exp(),
            )
            if len(others) >= 2:
                of = z[:, others]
                put(snr_candidates=(zt - of.mean(-1)) / of.std(-1, correction=0))
    shaped = {name: np.concatenate(parts).reshape(len(seen), L, *parts[0].shape[1:]) for name, parts in result.items()}
    shaped.setdefault("snr_candidates", np.full((len(seen), L), np.nan))
    return {name: value.astype(np.int32 if name == "top_ids" else np.float32) for name, value in shaped.items()}


class Prompt(NamedTuple):
    text: str
    tokens: List[Dict[str, Any]]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _prompt(tokens: Union[str, Sequence[int]], tokenizer: Any) -> Prompt:
    """The prompt's tokens with their places in it, in the units that the server counts."""
    if isinstance(tokens, str):
        if tokenizer is None:
            raise ValueError("A prompt as text needs tokenizer=…; without one give token ids.")
        found = tokenizer(tokens, return_offsets_mapping=True)
        places = [[_units(tokens[:end]) for end in span] for span in found["offset_mapping"]]
        ids = [int(id) for id in found["input_ids"]]
        texts = [tokens[a:b] or tokenizer.decode([id]) for id, (a, b) in zip(ids, found["offset_mapping"])]
        return Prompt(tokens, [{"id": i, "text": t, "start": a, "end": b} for i, t, (a, b) in zip(ids, texts, places)])
    ids = [int(id) for id in tokens]
    if not ids:
        raise ValueError("There are no tokens.")
    texts = [tokenizer.decode([id]) for id in ids] if tokenizer is not None else [f"#{id} " for id in ids]
    ends = np.cumsum([_units(text) for text in texts]).tolist()
    starts = [0, *ends[:-1]]
    return Prompt("".join(texts), [{"id": i, "text": t, "start": a, "end": b} for i, t, a, b in zip(ids, texts, starts, ends)])


def _entry(named: Named, tokenizer: Any) -> Dict[str, Any]:
    """A token by its id or its text. Of a text of several tokens the first."""
    if not isinstance(named, str):
        return {"id": int(named), "text": tokenizer.decode([int(named)]) if tokenizer is not None else f"#{int(named)}"}
    if tokenizer is None:
        raise ValueError(f"The token {named!r} needs tokenizer=…; without one give its id.")
    for text in (f" {named}", named) if not named.startswith(" ") else (named,):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) == 1 or text == named:
            return {"id": int(ids[0]), "text": tokenizer.decode([int(ids[0])])}
    raise AssertionError


def _needle(needle: Union[str, Span, None], prompt: Prompt) -> Optional[List[int]]:
    if needle is None or not isinstance(needle, str):
        if needle is not None and not 0 <= needle[0] < needle[1] <= len(prompt.tokens):
            raise ValueError(f"The needle {tuple(needle)} does not lie in the prompt, which has {len(prompt.tokens)} tokens.")
        return None if needle is None else [int(end) for end in needle]
    if prompt.text.count(needle) != 1:
        raise ValueError(f"The needle {needle!r} occurs {prompt.text.count(needle)} times in the prompt: give (start, end) in tokens.")
    start = _units(prompt.text[: prompt.text.index(needle)])
    end = start + _units(needle)
    inside = [k for k, token in enumerate(prompt.tokens) if token["start"] < end and token["end"] > start]
    return [inside[0], inside[-1] + 1]


def _take_apart(value: Any, path: str, arrays: Arrays) -> Any:
    """The structure, with the name of an array in place of each."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return {"$array": path}
    if isinstance(value, dict) and "$map" in value:
        return {"$map": [[key, _take_apart(item, f"{path}.{key}", arrays)] for key, item in value["$map"]]}
    if isinstance(value, dict):
        below = f"{path}." if path else ""
        return {key: _take_apart(item, f"{below}{key}", arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_apart(item, f"{path}.{k}", arrays) for k, item in enumerate(value)]
    return value


def _branches(block: Block) -> List[str]:
    return ["single"] if block.lambda_init is None else ["mixer_1", "mixer_2", "lambda_mixer_2", "diff"]


def export_torch(
    model: Any,
    tokens: Union[str, Sequence[int]],
    folder: Union[str, "os.PathLike[str]"],
    *,
    target: Named,
    tokenizer: Any = None,
    needle: Union[str, Span, None] = None,
    position: int = -1,
    candidates: Sequence[Named] = (),
    name: Optional[str] = None,
    device: Any = None,
    progress: Optional[Callable[[int, int], None]] = None,
) -> Path:
    """Runs a model over a prompt in PyTorch and writes a run folder that Statescope opens: ``statescope import FOLDER``.

    :param model: a model of ``transformers`` (mamba, falcon_mamba, mamba2, granitemoehybrid without experts), or the folder of a checkpoint, also of the authors' Diff-Mamba-2
        and of Statescope's own format; a folder is read one block at a time
    :param tokens: token ids, or text with ``tokenizer``, a fast tokenizer of ``transformers``
    :param folder: is made, and must be empty; its name may be the run's id of eight hexadecimal digits
    :param target: the answer: a token id, or text with ``tokenizer``
    :param needle: what decides the answer: (start, end) in tokens, or a text that occurs once
    :param position: the token at which allocation can be read without the weights; the lens is there for all
    :param candidates: answers that the target is held against, two or more beside it
    :param name: what the model is called; the same as a model that Statescope knows, and what needs the weights is read too
    :param device: where to compute; default the model's own, or CUDA where there is one
    :returns: the folder
    :raises ValueError: for a model that is not computed, or a prompt that does not fit it
    """
    torch = _torch()
    path = Path(folder)
    if path.exists() and any(path.iterdir()):
        raise ValueError(f"{path} is not empty: name a new folder.")
    started = time.time()
    own = isinstance(model, torch.nn.Module)
    where = device or (next(model.parameters()).device if own else "cuda" if torch.cuda.is_available() else "cpu")
    if own:
        state = model.state_dict()
        fields, w = model.config.to_dict(), Weights(list(state), state.__getitem__, where)
        called = name or str(getattr(model.config, "_name_or_path", "") or type(model).__name__)
    else:
        fields, w = _of_folder(Path(model), where)
        called = name or Path(model).resolve().name
    config = read_config(fields, w.names)
    prompt = _prompt(tokens, tokenizer)
    ids = [token["id"] for token in prompt.tokens]
    vocabulary = min(config.V, len(tokenizer)) if tokenizer is not None else config.V
    goal, answers = _entry(target, tokenizer), [_entry(each, tokenizer) for each in candidates]
    for id in [*ids, goal["id"], *(each["id"] for each in answers)]:
        if not 0 <= id < vocabulary:
            raise ValueError(f"Token id {id} is outside the vocabulary: ids go from 0 to {vocabulary - 1}.")
    L = len(ids)
    if not -L <= position < L:
        raise ValueError(f"There is no position {position}: the prompt has {L} tokens.")
    p = position % L
    span = _needle(needle, prompt)

    with torch.no_grad():
        embedding = w["backbone.embeddings.weight"]
        h = config.embedding_scale * embedding[torch.tensor(ids, device=where)]
        streams, blocks, reads = [_array(h)], [], []
        for i, block in enumerate(config.blocks):
            u = _rms(h, w[f"backbone.layers.{i}.{block.norm}"], config.epsilon)
            record, read, out = _block(u, w, i, block, p)
            h = h + out
            if block.beside is not None:
                h = h + _mlp(h, w, f"backbone.layers.{i}", block.beside)
            streams.append(_array(h))
            blocks.append(record)
            reads.append(read)
            if progress is not None:
                progress(i + 1, len(config.blocks))
        tied = "lm_head.weight" not in w
        if tied and not config.tied:
            raise ValueError("The model has no lm_head.weight, and its config does not say that the head is the embedding.")
        head = embedding if tied else w["lm_head.weight"]
        norm = w["backbone.norm_f.weight"]
        if own:
            _check_against(model, ids, config.logit_scale * (_rms(h, norm, config.epsilon) @ head.T))
        lens = _lens(streams, norm, head[:vocabulary], config, goal["id"], [each["id"] for each in answers])
        chosen = list(dict.fromkeys([goal["id"], *(each["id"] for each in answers)]))
        inverse = (h[p].square().mean() + config.epsilon).rsqrt()
        directions = [[id, _array(config.logit_scale * head[id] * norm * inverse)] for id in chosen]

    by = f"torch {torch.__version__} on {torch.cuda.get_device_name(where) if torch.device(where).type == 'cuda' else where}"
    entries = ["embedding", *(f"layer {i}" for i in range(len(blocks))), "final"]
    statistics = {key: value for key, value in lens.items() if not key.startswith("top_")}
    top = [int(id) for id in np.unique(lens["top_ids"])]
    known = {token["id"]: token["text"] for token in [*prompt.tokens, *answers, goal]}
    named = [{"id": id, "text": known.get(id) or tokenizer.decode([id])} for id in top] if tokenizer is not None else []
    run_model = {
        "name": called,
        "warnings": [f"This run was computed elsewhere, by {by}."],
        "tokens": prompt.tokens,
        "position": p,
        "needle": span,
        "target": goal,
        "candidates": answers,
        **({"named": named} if named else {}),
        "entries": entries,
        "blocks": [
            {
                "kind": block.kind,
                "lambda": None if block.lambda_init is None else record["lambda"],
                "lambdaInit": block.lambda_init,
                "branches": _branches(block),
                **({} if block.attention is None else {"softmax": ["single"]}),
                "heads": block.mixer.H if block.attention is None else block.attention.H,
                "channels": block.mixer.E,
            }
            for block, record in zip(config.blocks, blocks)
        ],
        "mapsReady": len(blocks),
        "forwardMs": 1000 * (time.time() - started),
        "signalReady": True,
        "lensReady": True,
    }
    whole = {
        "request": run_model,
        "config": config.json(vocabulary, tied),
        "fingerprint": f"elsewhere {by}",
        "L": L,
        "residuals": streams,
        "blocks": blocks,
        "elsewhere": {
            "by": by,
            "lens": {
                "target": goal["id"],
                "candidates": [each["id"] for each in answers],
                "topIds": lens["top_ids"],
                "topProbabilities": lens["top_probs"],
                "statistics": statistics,
            },
            "reads": {"position": p, "directions": {"$map": directions}, "blocks": reads},
        },
    }
    arrays: Arrays = {}
    structure = _take_apart(whole, "", arrays)
    id = path.name if RUN_ID.match(path.name) else secrets.token_hex(4)
    request: Dict[str, Any] = {"models": [called], "prompt": prompt.text, "position": p, "target": goal["text"]}
    if span is not None:
        request["needle"] = [prompt.tokens[span[0]]["start"], prompt.tokens[span[1] - 1]["end"]]
    if answers:
        request["candidates"] = [each["text"] for each in answers]
    run = {
        "id": id,
        "state": "done",
        "request": request,
        "queuePosition": 0,
        "progress": None,
        "models": [run_model],
        "device": None,
        "timing": {
            "createdAt": int(1000 * started),
            "startedAt": int(1000 * started),
            "finishedAt": int(1000 * time.time()),
            "firstMapMs": None,
        },
        "available": True,
        "analyses": [],
    }
    path.mkdir(parents=True, exist_ok=True)
    # Both appear when they are whole, and what says that there is a run comes last.
    draft = path / "model-0.safetensors.part"
    save_file(arrays, str(draft), {"format": RECORD_FORMAT, "structure": json.dumps(structure, ensure_ascii=False)})
    draft.replace(path / "model-0.safetensors")
    size = sum(array.nbytes for array in arrays.values())
    text = json.dumps({"format": STORED_FORMAT, "run": run, "bytes": size}, separators=(",", ":"), ensure_ascii=False)
    draft = path / "run.json.part"
    draft.write_text(f"{text}\n", encoding="utf-8")
    draft.replace(path / "run.json")
    return path


def _check_against(model: Any, ids: Sequence[int], logits: Any) -> None:
    """Holds the equations against the model's own forward pass. :raises ValueError: where they differ by more than its precision"""
    torch = _torch()
    place = next(model.parameters())
    training = model.training
    model.eval()
    try:
        expected = model(torch.tensor([list(ids)], device=place.device), use_cache=False).logits[0]
    finally:
        model.train(training)
    expected = expected.to(logits.device, torch.float32)
    error = float((logits - expected).abs().max() / expected.abs().max())
    allowed = 1e-3 if place.dtype == torch.float32 else 0.1
    if not error <= allowed:
        raise ValueError(
            f"The model's own logits differ from those of its equations by {error:.2g} of the largest: it is changed in a way that export_torch does not know."
        )
