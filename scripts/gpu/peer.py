"""The shapes of the check through PyTorch, a line of JSON each: {"what": ..., "ms": ..., "note": ...}. Float32, TF32 off, as the webgpu device computes.

On CUDA where there is such a card, else on the processor; every line says which.
"""

import importlib.util
import json
import math
import statistics
import sys
import time

SMALL = "--small" in sys.argv

try:
    import torch
except ImportError:
    print(json.dumps({"missing": "this python3 has no PyTorch"}))
    sys.exit(0)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


# A line ends after the run that goes beyond these seconds: transformers without mamba_ssm scans token by token.
LINE_SECONDS = 8


def settle():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def note_of(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


def say(what, run, runs=3 if SMALL else 10):
    """Prints the median wall time of `run`, after two that warm up; or why it did not run, and the next one follows."""
    times = []
    found = {"what": f"{what}, torch {torch.__version__} on {DEVICE}", "ms": None}
    begun = time.perf_counter()
    try:
        for k in range(runs + 2):
            if len(times) > 2 and time.perf_counter() - begun > LINE_SECONDS:
                break
            settle()
            start = time.perf_counter()
            run()
            settle()
            times.append(1000 * (time.perf_counter() - start))
        found["ms"] = statistics.median(times[2:])
    except Exception as error:
        found["note"] = note_of(error)
    print(json.dumps(found), flush=True)


def ssd(x, delta, A, B, C, chunk=64):
    """The scan of Mamba-2 in chunks, as matrix products: x [b,L,H,P], delta [b,L,H], A [H], B and C [b,L,N]."""
    b, L, H, P = x.shape
    n = L // chunk
    x, delta = (x * delta[..., None]).view(b, n, chunk, H, P), (delta * A).view(b, n, chunk, H)
    B, C = B.view(b, n, chunk, -1), C.view(b, n, chunk, -1)
    sums = delta.cumsum(2)
    y = torch.einsum("bntk,bnsk,bntsh,bnshp->bnthp", C, B, decays(sums), x)
    states = torch.einsum("bnsk,bnsh,bnshp->bnhpk", B, torch.exp(sums[:, :, -1:] - sums), x)
    h = torch.zeros_like(states[:, 0])
    carried = []
    for i in range(n):
        carried.append(h)
        h = torch.exp(sums[:, i, -1])[..., None, None] * h + states[:, i]
    y = y + torch.einsum("bntk,bnth,bnhpk->bnthp", C, torch.exp(sums), torch.stack(carried, 1))
    return y.reshape(b, L, H, P)


def decays(sums):
    """exp of the sum of decays from behind s to t, for s <= t: [b,n,t,s,H]."""
    difference = sums[:, :, :, None] - sums[:, :, None]
    t = torch.arange(sums.shape[2], device=sums.device)
    return torch.where((t[:, None] >= t[None])[..., None], difference, -torch.inf).exp()


def recurrence(x, delta, A, B, C):
    """The scan by its definition, a token at a time."""
    h, y = 0, []
    for t in range(x.shape[1]):
        fade = torch.exp(delta[:, t] * A)[..., None, None]
        h = fade * h + (delta[:, t, :, None] * x[:, t])[..., None] * B[:, t, None, None]
        y.append((h * C[:, t, None, None]).sum(-1))
    return torch.stack(y, 1)


def tell_error(what, run, expected):
    """Prints the largest error by the largest value, or why there is none: what is timed must be the scan."""
    try:
        error = ((run() - expected).abs().max() / expected.abs().max()).item()
        found = {"error": error} if math.isfinite(error) else {"note": f"{error}"}
    except Exception as error:
        found = {"note": note_of(error)}
    print(json.dumps({"what": f"{what}, largest error against the recurrence", "ms": None, **found}), flush=True)


def products(side):
    a, b = torch.randn(side, side, device=DEVICE), torch.randn(side, side, device=DEVICE)
    say(f"product of {side}³", lambda: a @ b.T)


def copies(count):
    a = torch.randn(count, device=DEVICE)
    say(f"copy of {4 * count / 1e6:.0f} MB", lambda: a.clone())


def scans(L, H, P, N):
    draw = lambda *shape: torch.randn(*shape, device=DEVICE)
    x, delta, A = draw(1, L, H, P), 0.01 * torch.rand(1, L, H, device=DEVICE), -torch.rand(H, device=DEVICE)
    B, C = draw(1, L, N), draw(1, L, N)
    what = f"SSD scan in chunks, L {L}, H {H}, P {P}, N {N}"
    expected = recurrence(x, delta, A, B, C)
    for how, scan in (("", ssd), (", fused by torch.compile", torch.compile(ssd))):
        tell_error(f"{what}{how}", lambda: scan(x, delta, A, B, C), expected)
        say(f"{what}{how}", lambda: scan(x, delta, A, B, C))


def forwards(lengths):
    try:
        from transformers import Mamba2Config, Mamba2ForCausalLM, MambaConfig, MambaForCausalLM
    except ImportError:
        print(json.dumps({"what": "transformers is not installed", "ms": None}))
        return
    fused = "with" if importlib.util.find_spec("mamba_ssm") and DEVICE == "cuda" else "without"
    d, layers, V = (64, 2, 500) if SMALL else (768, 24, 50280)
    models = {
        "Mamba": lambda: MambaForCausalLM(MambaConfig(vocab_size=V, hidden_size=d, num_hidden_layers=layers)),
        "Mamba-2": lambda: Mamba2ForCausalLM(
            Mamba2Config(vocab_size=V, hidden_size=d, num_hidden_layers=layers, num_heads=2 * d // 64, head_dim=64, n_groups=1)
        ),
    }
    for name, make in models.items():
        model = make().to(DEVICE).eval()
        for rows, L in lengths:
            ids = torch.randint(0, V, (rows, L), device=DEVICE)
            with torch.no_grad():
                say(f"forward of {name}, d {d}, {layers} layers, L {L}, batch {rows}, all logits, {fused} mamba_ssm's kernels", lambda: model(ids, use_cache=False).logits)


products(128 if SMALL else 4096)
copies(1 << (18 if SMALL else 26))
scans(*((128, 2, 16, 16) if SMALL else (512, 24, 64, 128)))
forwards([(1, 70)] if SMALL else [(1, 512), (1, 2048), (8, 512)])
