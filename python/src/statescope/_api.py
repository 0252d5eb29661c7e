# Made from the OpenAPI document by "npm run python:client": change the schemas in lib/api, not this file.
"""Types and operations of Statescope's HTTP API, as `/api/openapi.json` describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Literal, Mapping, Optional, Sequence, TypedDict, Union, cast

from ._http import Event, Http, Tensors, quote

if TYPE_CHECKING:
    from typing_extensions import NotRequired


class RunCreated(TypedDict):
    id: str


class TokenizeRequest(TypedDict):
    model: str
    text: str


class ChannelsMetadata(TypedDict):
    unit: Literal["channel", "head"]
    branches: str
    ms: float


class RunPatch(TypedDict):
    name: str
    """What to call the run; empty to unname it."""


class ModelFolder(TypedDict):
    folder: str
    """An absolute path, or one below `models/` of Statescope."""


class AnalysisCreated(TypedDict):
    id: str
    note: NotRequired[str]
    """What the request should know: a former name, a word of several tokens."""


class VocabularyReplyTokens(TypedDict):
    id: int
    text: str


class VocabularyReply(TypedDict):
    tokens: Sequence[VocabularyReplyTokens]


class TracksMetadata(TypedDict):
    unit: str
    """`mean`, or the number of the unit."""
    units: Literal["channel", "head"]
    branches: str
    ms: float


class ErrorBodyError(TypedDict):
    message: str
    """One sentence that says what is wrong."""
    hint: NotRequired[str]
    """What to do about it."""


class ErrorBody(TypedDict):
    error: ErrorBodyError


class TokenizerRequest(TypedDict):
    model: str
    tokenizer: Optional[str]
    """The bundled one’s name, the name of a model that has one, or the path of a file; null for the model’s own."""


class PairChannels(TypedDict):
    index: int
    value: float


class Pair(TypedDict):
    unit: Literal["channel", "head"]
    channels: Sequence[PairChannels]
    """Strongest first."""


class MapEstimate(TypedDict):
    bytes: int
    """Bytes beside weights and activations; counted generously, not measured."""
    limit_bytes: int
    """What takes more is refused (STATESCOPE_MAP_MEMORY_MB)."""
    kept: bool
    """Whether the map is there already, so that nothing is to be computed."""


class TokenizeReplyTokens(TypedDict):
    id: int
    text: str
    start: int
    """UTF-16 offset in the text."""
    end: int
    unknown: NotRequired[Literal[True]]
    """Present where the vocabulary lacks the word."""


class TokenizeReply(TypedDict):
    tokens: Sequence[TokenizeReplyTokens]


class AnswerTokens(TypedDict):
    id: int
    logprob: Optional[float]


class Answer(TypedDict):
    position: int
    tokens: Sequence[AnswerTokens]
    """ln p of each token, given those before it."""
    logprob: Optional[float]
    """ln p of the whole answer, their sum; null where it is −∞ or not a number."""


class Continuation(TypedDict):
    """The end of a prompt as a model generated it: these token ids in place of reading its text again. Models whose vocabulary gives these ids another text read the text."""
    start: int
    """Characters of the prompt that are read as text."""
    ids: Sequence[int]
    """The tokens that stand for the rest of the prompt."""


class LensMetadata(TypedDict):
    lens: Literal["logit", "tuned"]
    """`tuned` uses the translators in the folder `tuned-lens` of the model."""
    entries: str
    """Labels of the first axis, separated by commas."""
    target: int
    positions: NotRequired[str]
    """Positions of the second axis, separated by commas; all of them where absent."""
    length: NotRequired[int]
    """Tokens of the prompt, where positions are given."""


class RolloutMetadata(TypedDict):
    method: Literal["norm", "alti", "plain", "normalised", "attribution", "attribution_code"]
    """What is multiplied over layers: `norm` and `alti`, shares of the residual stream by token, its own included, as lengths or by nearness; and as published by Ali et al. `plain` I + mean α, `normalised` the same with every row divided by its sum, `attribution` I + (mean gradient of a logit ⊙ mean α)⁺, `attribution_code` what their code makes of it. Only `plain` and `normalised` read `reduce`."""
    convention: str
    max_abs: float
    ms: float
    memory_bytes: float
    """Bytes that it was said to take before it began."""


class RunEstimate(TypedDict):
    activationBytes: int
    """What the run keeps in memory."""
    limitBytes: int
    """Most activations that are kept; a run above it is refused."""
    weightBytes: int
    """Weights that are not on the device yet."""
    packedBytes: int
    """What the device adds to these weights once prompts of this length have come back some ten times: it keeps them in the order of its products too."""
    seconds: Optional[float]
    """Expected, loading included, by a probe of the device and by runs; null without a device."""


class AttributionComponents(TypedDict):
    block: int
    """−1 for the embedding."""
    part: Literal["embedding", "mixer", "branch_1", "minus_lambda_branch_2", "attention", "mamba", "bias", "mlp"]
    contribution: float


class Attribution(TypedDict):
    target: int
    position: int
    logit: float
    components: Sequence[AttributionComponents]
    blocks: Sequence[float]
    """What each block adds as a whole."""
    convention: str
    reconstruction_error: float
    """|logit − sum of the contributions| as a share of the logit."""


class SweepStatusFailed(TypedDict):
    item: int
    label: str
    error: str


class SweepStatus(TypedDict):
    id: str
    """Made of all that is asked: the same question is the same sweep."""
    kind: str
    state: Literal["open", "done", "failed", "cancelled"]
    """`failed` once every item has ended and some have failed."""
    items: int
    done: int
    """Items with a result."""
    active: int
    """Items that are being computed."""
    failed: Sequence[SweepStatusFailed]
    createdAt: float
    """Milliseconds since 1970."""


class SweepList(TypedDict):
    sweeps: Sequence[SweepStatus]
    """Newest first."""


class ThumbnailsMetadata(TypedDict):
    form: Literal["s6", "softmax", "block", "logit", "norm"]
    """What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`."""
    reduce: str
    """How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`."""
    first: int
    """The first layer present."""
    layers: int
    """How many are present."""
    size: int


class MapMetadata(TypedDict):
    form: Literal["s6", "softmax", "block", "logit", "norm"]
    """What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`."""
    reduce: str
    """How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`."""
    branch: Literal["single", "attention", "mamba", "mixer_1", "mixer_2", "lambda_mixer_2", "diff"]
    """Which map of a block: `single` for a plain block; for a differential block mixer 1, mixer 2, λ·mixer 2 or their difference."""
    convention: str
    reconstruction_error: float
    max_abs: float
    ms: float
    """Time that the map took when it was computed."""
    memory_bytes: float
    """Bytes that making it was said to take before it began."""


class GeneratedTokenAlternatives(TypedDict):
    id: int
    text: str
    probability: float


class GeneratedToken(TypedDict):
    index: int
    """Place in the added text, from 0."""
    id: int
    text: str
    """The token, for the eye."""
    piece: str
    """What it adds to the text; empty while a character is not complete. The pieces make the added text."""
    as_target: Optional[VocabularyReplyTokens]
    """The token that a run reads when `text` is its target; another one inside a word, null where there is none."""
    probability: float
    """The model's own: neither temperature nor limits are in it."""
    rank: int
    """1 is the most likely token."""
    entropy: float
    """Of the next token, nats."""
    alternatives: Sequence[GeneratedTokenAlternatives]
    """Most likely first."""


class SweepWorkers(TypedDict):
    worker: str
    items: int


class Sweep(TypedDict):
    id: str
    """Made of all that is asked: the same question is the same sweep."""
    kind: str
    state: Literal["open", "done", "failed", "cancelled"]
    """`failed` once every item has ended and some have failed."""
    items: int
    done: int
    """Items with a result."""
    active: int
    """Items that are being computed."""
    failed: Sequence[SweepStatusFailed]
    createdAt: float
    """Milliseconds since 1970."""
    workers: Sequence[SweepWorkers]
    """Who has ended how many items: process, machine and device."""
    result: Optional[Mapping[str, Any]]
    """What it comes to, as `statescope sweep result` prints it; null until every item has a result."""


class GenerationRequest(TypedDict):
    model: str
    prompt: str
    continuation: NotRequired[Continuation]
    """The end of a prompt as a model generated it: these token ids in place of reading its text again. Models whose vocabulary gives these ids another text read the text."""
    max_new_tokens: NotRequired[int]
    temperature: NotRequired[float]
    """Divides the logits before a token is drawn; absent: the best token is always taken."""
    top_k: NotRequired[int]
    """Draw among the k most likely tokens."""
    top_p: NotRequired[float]
    """Draw among the most likely tokens that together reach this probability."""
    seed: NotRequired[int]
    """Equal seeds give equal text."""
    alternatives: NotRequired[int]
    """Most likely tokens told at each step."""


class RunRequest(TypedDict):
    models: Sequence[str]
    """One model, or two to compare."""
    prompt: str
    position: NotRequired[int]
    """Token at which signals are read; −1 is the last."""
    target: str
    """The answer; its first token is the target (with a leading space for byte-level vocabularies)."""
    needle: NotRequired[Sequence[int]]
    """Characters of the prompt that hold the answer."""
    candidates: NotRequired[Sequence[str]]
    """Answer set of snr_candidates."""
    continuation: NotRequired[Continuation]
    """The end of a prompt as a model generated it: these token ids in place of reading its text again. Models whose vocabulary gives these ids another text read the text."""
    target_id: NotRequired[int]
    """The target itself, for models whose vocabulary writes this token as `target`, leading space included."""


class Signal(TypedDict):
    lens: Literal["logit", "tuned"]
    """`tuned` uses the translators in the folder `tuned-lens` of the model."""
    entries: Sequence[str]
    position: int
    target: int
    needle: Optional[Sequence[int]]
    target_prob: Sequence[Optional[float]]
    target_logprob: Sequence[Optional[float]]
    target_log_odds: Sequence[Optional[float]]
    """ln p/(1 − p) of the target."""
    margin: Sequence[Optional[float]]
    """Logit of the target minus that of the strongest other token: not comparable between models."""
    margin_std: Sequence[Optional[float]]
    """The margin ÷ the standard deviation of the other logits."""
    snr_vocab: Sequence[Optional[float]]
    snr_candidates: Sequence[Optional[float]]
    needle_against_context: Optional[Sequence[Optional[float]]]
    """Null where it was not asked for; else null for the embedding and the output, and without a needle."""


class ExampleListExamplesClasses(TypedDict):
    """Characters that name another answer, and those of the question."""
    competing: NotRequired[Sequence[Sequence[int]]]
    question: NotRequired[Sequence[Sequence[int]]]


class ExampleListExamples(TypedDict):
    id: str
    title: str
    description: str
    prompt: str
    needle: Sequence[int]
    """Characters of the prompt that hold the answer."""
    classes: NotRequired[ExampleListExamplesClasses]
    """Characters that name another answer, and those of the question."""
    target: str
    candidates: Sequence[str]
    models: NotRequired[Sequence[str]]
    """The pair that the text is made for, where others are not expected to answer."""
    layer: NotRequired[int]
    """The block of that pair in which the needle raises the answer most: what the page opens."""


class ExampleList(TypedDict):
    examples: Sequence[ExampleListExamples]


class HealthDevice(TypedDict):
    name: str
    description: str
    threads: int
    weights: NotRequired[Literal["file", "float32", "bf16"]]
    """How models kept their matrices: `file` as they are stored, where the device computes from that; widened to float32; or rounded to bf16. Absent in records of 0.1.0: float32."""


class HealthMemory(TypedDict):
    residentBytes: int


class HealthArchive(TypedDict):
    state: Literal["off", "unopened", "opening", "open", "failed"]
    """Of what keeps runs on disk. `unopened`: not yet, as in the first moment of a server. While `opening` or `failed`, runs of earlier servers are missing from lists; it opens by itself once it can."""
    message: NotRequired[str]
    """What keeps runs from being kept or found, in one sentence."""
    waiting: int
    """Runs and analyses that have ended and are still to be kept."""


class HealthRestarts(TypedDict):
    """How often the worker ended or was ended because it was stuck, and was started again."""
    count: int
    at: float
    """Of the last time, ms since 1970."""
    reason: str


class Health(TypedDict):
    status: Literal["starting", "ready", "failed"]
    """State of the worker that owns the device."""
    version: str
    device: Optional[HealthDevice]
    """Null until the device is open."""
    queue: int
    """Runs and analyses queued or running."""
    memory: HealthMemory
    archive: HealthArchive
    readOnly: bool
    """Nothing that lasts may be changed: naming, removing and folders of models are answered 403."""
    error: NotRequired[str]
    restarts: NotRequired[HealthRestarts]
    """How often the worker ended or was ended because it was stuck, and was started again."""


TrainingRunsRunsPointsLambda = TypedDict(
    "TrainingRunsRunsPointsLambda",
    {
        "block": "int",
        "lambda": "float",
        "sigma": "NotRequired[float]",
    },
)


TrainingRunsRunsPoints = TypedDict(
    "TrainingRunsRunsPoints",
    {
        "step": "int",
        "text": "Optional[float]",
        "answers": "Optional[float]",
        "lambda": "Sequence[TrainingRunsRunsPointsLambda]",
    },
)


class TrainingRunsRunsEvaluationsLabels(TypedDict):
    accuracy: float
    n: int


class TrainingRunsRunsEvaluations(TypedDict):
    step: int
    accuracy: Optional[float]
    labels: Mapping[str, TrainingRunsRunsEvaluationsLabels]
    text: Optional[float]
    answers: Optional[float]


class TrainingRunsRunsSamples(TypedDict):
    label: NotRequired[str]
    read: str
    """The end of what stands before the answer."""
    wanted: str
    given: str


class TrainingRunsRuns(TypedDict):
    folder: str
    name: str
    """Its place below the folder that was looked through."""
    arm: int
    """Runs of one arm have one configuration but for `name` and `seed`."""
    seed: int
    step: int
    steps: int
    """Of all stages, where none ends before its limit."""
    stage: str
    finished: bool
    updatedAt: str
    """When the last line was written."""
    secondsLeft: float
    tokensPerSecond: float
    points: Sequence[TrainingRunsRunsPoints]
    """Losses of training in nats, and λ, at steps spread evenly."""
    evaluations: Sequence[TrainingRunsRunsEvaluations]
    samples: Sequence[TrainingRunsRunsSamples]
    """Answers of the last evaluation."""


class TrainingRunsBroken(TypedDict):
    folder: str
    message: str


class TrainingRuns(TypedDict):
    runs: Sequence[TrainingRunsRuns]
    folders: Sequence[str]
    """That were looked through."""
    broken: Sequence[TrainingRunsBroken]
    """Runs whose files cannot be read."""


class SnrResultModelsRows(TypedDict):
    entry: str
    metric: Literal["target_prob", "target_logprob", "target_log_odds", "margin", "margin_std", "snr_vocab", "snr_candidates", "needle_against_context"]
    mean: Optional[float]
    """Null where it is not defined."""
    stderr: Optional[float]
    """Null where it is not defined."""
    low: Optional[float]
    """Null where it is not defined."""
    high: Optional[float]
    """Null where it is not defined."""
    n: int


class SnrResultModelsAnswerLogprob(TypedDict):
    """ln p of the whole answer, where some answers have several tokens."""
    mean: Optional[float]
    """Null where it is not defined."""
    stderr: Optional[float]
    """Null where it is not defined."""
    low: Optional[float]
    """Null where it is not defined."""
    high: Optional[float]
    """Null where it is not defined."""
    n: int


class SnrResultModels(TypedDict):
    model: str
    rows: Sequence[SnrResultModelsRows]
    answer_logprob: NotRequired[SnrResultModelsAnswerLogprob]
    """ln p of the whole answer, where some answers have several tokens."""


class SnrResultDifference(TypedDict):
    entry: str
    metric: Literal["target_prob", "target_logprob", "target_log_odds", "margin", "margin_std", "snr_vocab", "snr_candidates", "needle_against_context"]
    mean: Optional[float]
    """Null where it is not defined."""
    stderr: Optional[float]
    """Null where it is not defined."""
    low: Optional[float]
    """Null where it is not defined."""
    high: Optional[float]
    """Null where it is not defined."""
    n: int
    p: Optional[float]
    """Null where it is not defined."""


class SnrResultIntervals(TypedDict):
    """What the intervals cover: other prompts, and other training seeds only where it says so."""
    level: float
    over: Literal["prompts", "training seeds and prompts"]


class SnrResult(TypedDict):
    kind: Literal["snr"]
    lens: Literal["logit", "tuned"]
    """`tuned` uses the translators in the folder `tuned-lens` of the model."""
    examples: int
    models: Sequence[SnrResultModels]
    """Models that are finished, in the order of the request."""
    difference: Optional[Sequence[SnrResultDifference]]
    """Second model minus first, paired by example; null for one model. Margins only in standard deviations (`margin_std`): logits of two models have no common unit."""
    intervals: NotRequired[SnrResultIntervals]
    """What the intervals cover: other prompts, and other training seeds only where it says so."""
    notes: Sequence[str]
    """What the request should know, such as names that go."""


class RunListRunsTiming(TypedDict):
    createdAt: float
    """Milliseconds since 1970."""
    startedAt: Optional[float]
    """Later for a run that was resumed, by the time it stood still."""
    finishedAt: Optional[float]
    firstMapMs: Optional[float]
    """From start to the first map."""


class RunListRuns(TypedDict):
    id: str
    name: str
    """Empty when nobody named it."""
    state: Literal["queued", "running", "done", "cancelled", "error", "interrupted"]
    """`interrupted`: the server ended before the work did; it can be asked for again."""
    request: RunRequest
    timing: RunListRunsTiming
    available: bool
    kept: bool
    """Whether it is on disk and outlives the server."""
    bytes: int
    """Bytes of its arrays on disk."""


class RunListArchive(TypedDict):
    state: Literal["off", "unopened", "opening", "open", "failed"]
    """Of what keeps runs on disk. `unopened`: not yet, as in the first moment of a server. While `opening` or `failed`, runs of earlier servers are missing from lists; it opens by itself once it can."""
    message: NotRequired[str]
    """What keeps runs from being kept or found, in one sentence."""
    waiting: int
    """Runs and analyses that have ended and are still to be kept."""
    limitBytes: int
    """The oldest runs are removed beyond this."""


class RunList(TypedDict):
    runs: Sequence[RunListRuns]
    archive: RunListArchive


class ModelListModelsTokenizer(TypedDict):
    """What reads the model’s text and writes its tokens."""
    name: str
    """Its file, or the name of the bundled one."""
    source: Literal["model", "chosen", "fallback"]
    """The model’s own, one that was chosen, or the bundled one."""


class ModelListModelsHeldOutLayers(TypedDict):
    kl: float
    """Mean KL(final ‖ lens) over the tokens."""
    logit_lens_kl: float
    """The same of the logit lens."""
    fault: Optional[str]
    """Why the layer is not fitted; null where it is."""


class ModelListModelsHeldOut(TypedDict):
    """A tuned lens on text that it was not fitted to, by layer."""
    tokens: int
    layers: Sequence[ModelListModelsHeldOutLayers]


class ModelListModels(TypedDict):
    name: str
    """What requests use to name the model."""
    format: str
    layers: Sequence[Literal["mamba1", "mamba2", "falcon_mamba", "diff_mamba1", "diff_mamba2", "diff_mamba2e", "diff_s6", "diff_s6_mamba2", "granite_mamba2", "granite_attention", "falcon_h1", "bamba_mamba2", "bamba_attention", "nemotron_h_attention", "nemotron_h_mlp", "jamba_mamba1", "jamba_attention"]]
    differential: Sequence[bool]
    """Of each layer: whether it subtracts one branch from another."""
    hidden_size: int
    parameters: int
    dtype: str
    vocab_size: int
    tied: bool
    summary: str
    """One line: kinds, layers, width, parameters."""
    hasTokenizer: bool
    """Runs need a tokenizer."""
    tokenizer: Optional[ModelListModelsTokenizer]
    tokenizerProblem: NotRequired[str]
    """Why the tokenizer that was chosen cannot be used."""
    hasTunedLens: bool
    """Whether the folder `tuned-lens` of the model holds a lens."""
    warnings: NotRequired[Sequence[str]]
    """What of the model’s files is not used as they say; left out where all is."""
    heldOut: Optional[ModelListModelsHeldOut]
    """Of the tuned lens; null where it is not recorded."""


class ModelListUnreadable(TypedDict):
    name: str
    problem: str


class ModelListDropped(TypedDict):
    folder: str
    problem: str


class ModelList(TypedDict):
    models: Sequence[ModelListModels]
    unreadable: Sequence[ModelListUnreadable]
    """Folders with a config.json that cannot be used, and why; those of the Hugging Face cache apart."""
    folders: Sequence[str]
    """Where models are looked for; folders below these may be added."""
    added: Sequence[str]
    """Folders that were added; kept beside the runs."""
    dropped: Sequence[ModelListDropped]
    """Folders that were added and are gone since; told until they are removed or added again."""
    tokenizers: Sequence[str]
    """Names of tokenizers that may be chosen: the bundled one, then those of models."""


class RunProgress(TypedDict):
    model: int
    """Index into the models of the run."""
    stage: Literal["loading", "forward"]
    layer: int
    """Steps of this stage that are finished; while loading, parameters."""
    layers: int
    secondsLeft: Optional[float]
    """Estimate for the whole run, which never rises; null before one exists."""
    share: float
    """Of the work of the whole run that is done."""


RunModelsBlocks = TypedDict(
    "RunModelsBlocks",
    {
        "kind": "Literal[\"mamba1\", \"mamba2\", \"falcon_mamba\", \"diff_mamba1\", \"diff_mamba2\", \"diff_mamba2e\", \"diff_s6\", \"diff_s6_mamba2\", \"granite_mamba2\", \"granite_attention\", \"falcon_h1\", \"bamba_mamba2\", \"bamba_attention\", \"nemotron_h_attention\", \"nemotron_h_mlp\", \"jamba_mamba1\", \"jamba_attention\"]",
        "label": "NotRequired[str]",
        "lambda": "Optional[float]",
        "lambdaInit": "Optional[float]",
        "branches": "Sequence[Literal[\"single\", \"attention\", \"mamba\", \"mixer_1\", \"mixer_2\", \"lambda_mixer_2\", \"diff\"]]",
        "softmax": "NotRequired[Sequence[Literal[\"single\", \"attention\", \"mamba\", \"mixer_1\", \"mixer_2\", \"lambda_mixer_2\", \"diff\"]]]",
        "exact": "NotRequired[Sequence[Literal[\"single\", \"attention\", \"mamba\", \"mixer_1\", \"mixer_2\", \"lambda_mixer_2\", \"diff\"]]]",
        "points": "NotRequired[Mapping[str, Sequence[Literal[\"mixer_1\", \"mixer_2\"]]]]",
        "heads": "int",
        "channels": "int",
    },
)


class RunModelsReadout(TypedDict):
    entry: str
    target_prob: Optional[float]
    """Null where it is not defined."""
    target_logprob: Optional[float]
    """Null where it is not defined."""
    target_log_odds: Optional[float]
    """Null where it is not defined."""
    target_rank: Optional[float]
    """Null where it is not defined."""
    margin: Optional[float]
    """Null where it is not defined."""
    margin_std: Optional[float]
    """Null where it is not defined."""
    entropy: Optional[float]
    """Null where it is not defined."""
    snr_vocab: Optional[float]
    """Null where it is not defined."""
    snr_candidates: Optional[float]
    """Null where it is not defined."""
    top_ids: Sequence[int]
    top_probs: Sequence[float]


class RunModels(TypedDict):
    name: str
    warnings: NotRequired[Sequence[str]]
    """What of the model’s files is not used as they say; left out where all is."""
    tokenizer: NotRequired[ModelListModelsTokenizer]
    """What reads the model’s text and writes its tokens."""
    tokens: Sequence[TokenizeReplyTokens]
    position: int
    """Token at which signals are read by default."""
    needle: Optional[Sequence[int]]
    """The needle in tokens."""
    target: VocabularyReplyTokens
    answer: NotRequired[Sequence[VocabularyReplyTokens]]
    """All tokens of the answer, where it has several: curves, maps and tests read the first, the reading `answer` scores all."""
    candidates: Sequence[VocabularyReplyTokens]
    named: NotRequired[Sequence[VocabularyReplyTokens]]
    """Tokens that its lens names, of a run that was computed elsewhere: the model may not be here."""
    entries: Sequence[str]
    """Lens entries: embedding, layer 0 …, final."""
    blocks: Sequence[RunModelsBlocks]
    mapsReady: int
    """Layers 0 … mapsReady − 1 have maps."""
    forwardMs: NotRequired[float]
    """Milliseconds that the blocks of the forward pass took, maps and lens apart."""
    signalReady: bool
    lensReady: bool
    readout: NotRequired[Sequence[RunModelsReadout]]
    """While the forward pass runs: what each finished layer says at the token that is read."""
    error: NotRequired[str]


class RunAnalyses(TypedDict):
    id: str
    """What `/api/analyses/{id}` knows it by: request, result and tensors."""
    kind: str
    """As in AnalysisRequest."""
    question: str
    """Equal for requests that ask the same, defaults filled in."""
    createdAt: float
    """Milliseconds since 1970."""


class Run(TypedDict):
    id: str
    name: NotRequired[str]
    """What its reader calls it."""
    state: Literal["queued", "running", "done", "cancelled", "error", "interrupted"]
    """`interrupted`: the server ended before the work did; it can be asked for again."""
    request: RunRequest
    queuePosition: int
    """0 when running or finished, 1 for the next one, …"""
    progress: Optional[RunProgress]
    models: Sequence[RunModels]
    device: Optional[HealthDevice]
    timing: RunListRunsTiming
    available: bool
    """False once the activations are neither in memory nor on disk: maps and lenses need a new run."""
    analyses: Sequence[RunAnalyses]
    """Finished causal tests and batches that were asked for with this run, oldest first."""
    error: NotRequired[str]


class AllocationLayersTokens(TypedDict):
    """Of each class, a mean over prompts."""
    self: float
    needle: float
    competing: float
    question: float
    first: float
    filler: float


class AllocationLayersNetNormShareSelf(TypedDict):
    mean: float
    low: NotRequired[float]
    high: NotRequired[float]


class AllocationLayersNetNormShare(TypedDict):
    """Share of the norms of what tokens bring; parts do not add up to the output."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersNetProjectionShare(TypedDict):
    """Share of the output, signed; 1 over all classes."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersNetAltiShare(TypedDict):
    """Share of nearness to the output."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersNetLogit(TypedDict):
    """In logits of the target, or of target minus foil; signed."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersNet(TypedDict):
    norm_share: AllocationLayersNetNormShare
    """Share of the norms of what tokens bring; parts do not add up to the output."""
    projection_share: AllocationLayersNetProjectionShare
    """Share of the output, signed; 1 over all classes."""
    alti_share: AllocationLayersNetAltiShare
    """Share of nearness to the output."""
    logit: AllocationLayersNetLogit
    """In logits of the target, or of target minus foil; signed."""
    needle_against_context: Optional[AllocationLayersNetNormShareSelf]
    """Needle over all context: needle, competing, first and filler."""


class AllocationLayersRemoved(TypedDict):
    """1 − what the difference reads over what branch 1 reads."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersCosine(TypedDict):
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayersRejectionDb(TypedDict):
    """Decibels."""
    self: Optional[AllocationLayersNetNormShareSelf]
    needle: Optional[AllocationLayersNetNormShareSelf]
    competing: Optional[AllocationLayersNetNormShareSelf]
    question: Optional[AllocationLayersNetNormShareSelf]
    first: Optional[AllocationLayersNetNormShareSelf]
    filler: Optional[AllocationLayersNetNormShareSelf]


class AllocationLayers(TypedDict):
    layer: int
    kind: str
    differential: bool
    tokens: AllocationLayersTokens
    """Of each class, a mean over prompts."""
    chance: Optional[float]
    """Needle tokens over context tokens."""
    net: AllocationLayersNet
    branch_1: NotRequired[AllocationLayersNet]
    lambda_branch_2: NotRequired[AllocationLayersNet]
    removed: NotRequired[AllocationLayersRemoved]
    """1 − what the difference reads over what branch 1 reads."""
    cosine: NotRequired[AllocationLayersCosine]
    rejection_db: NotRequired[AllocationLayersRejectionDb]
    """Decibels."""
    reconstruction_error: float
    """The largest of the prompts."""


class Allocation(TypedDict):
    position: int
    classes: Sequence[Literal["self", "needle", "competing", "question", "first", "filler"]]
    """Of every token up to the one that is read."""
    answer: Optional[Answer]
    """Score of the whole answer, null where it is one token: what is said in logits is of its first."""
    layers: Sequence[AllocationLayers]


class SweepRequestSnrSourcesExamplesClasses(TypedDict):
    """What else is what, as spans like the needle’s."""
    competing: NotRequired[Sequence[Sequence[int]]]
    """What names another answer."""
    question: NotRequired[Sequence[Sequence[int]]]
    """The question."""


class SweepRequestSnrSourcesExamples(TypedDict):
    """One example, as a line of the command line’s file."""
    prompt: NotRequired[str]
    tokens: NotRequired[Sequence[int]]
    """Token ids in place of a prompt."""
    context: NotRequired[str]
    """With a question: becomes the prompt of the paper's script."""
    question: NotRequired[str]
    target: NotRequired[Union[str, int]]
    """The answer; its first token is the target."""
    answer: NotRequired[Union[str, int]]
    """Another word for the target."""
    needle: NotRequired[Sequence[int]]
    """What holds the answer: UTF-16 characters of a prompt, tokens of `tokens`, unless `unit` says otherwise."""
    unit: NotRequired[Literal["characters", "tokens"]]
    foil: NotRequired[Union[str, int]]
    """A wrong answer, where logits are differences to it."""
    candidates: NotRequired[Sequence[Union[str, int]]]
    classes: NotRequired[SweepRequestSnrSourcesExamplesClasses]
    """What else is what, as spans like the needle’s."""
    position: NotRequired[int]
    """Token to read at; default the last."""
    corrupted: NotRequired[Union[str, Sequence[int]]]
    """The prompt, or its token ids, that patching holds it against."""


class SweepRequestSnrSources(TypedDict):
    name: str
    examples: Union[Sequence[SweepRequestSnrSourcesExamples], str]
    """Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles."""


class SweepRequestSnr(TypedDict):
    kind: Literal["snr"]
    models: Sequence[Union[str, Sequence[str]]]
    """Names that `GET /api/models` lists; training seeds of one model as a list."""
    sources: Sequence[SweepRequestSnrSources]
    """Sets of prompts, such as one a length or task; each is summed up by itself."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""
    metrics: NotRequired[Sequence[Literal["target_prob", "target_logprob", "target_log_odds", "margin", "margin_std", "snr_vocab", "snr_candidates", "needle_against_context"]]]
    """Default: all."""


class SweepRequestAllocation(TypedDict):
    kind: Literal["allocation"]
    models: Sequence[Union[str, Sequence[str]]]
    """Names that `GET /api/models` lists; training seeds of one model as a list."""
    sources: Sequence[SweepRequestSnrSources]
    """Sets of prompts, such as one a length or task; each is summed up by itself."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""
    layers: NotRequired[Sequence[int]]
    """Default: all."""


class SweepRequestPatch(TypedDict):
    """Patching by class of token; a line without `corrupted` has its answer exchanged for another candidate."""
    kind: Literal["patch"]
    models: Sequence[Union[str, Sequence[str]]]
    """Names that `GET /api/models` lists; training seeds of one model as a list."""
    sources: Sequence[SweepRequestSnrSources]
    """Sets of prompts, such as one a length or task; each is summed up by itself."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""
    layers: NotRequired[Sequence[int]]
    """Default: all."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together."""
    memory_mb: NotRequired[int]
    """Refuse an example that would take more beside the weights."""
    point: NotRequired[str]
    """A hook point of the block, `hook_h` (states), or, with attribution, `mixer_1`, `mixer_2`."""
    direction: NotRequired[Literal["denoise", "noise"]]
    metric: NotRequired[Literal["logit_difference", "target_logit", "margin", "target_prob", "target_logprob", "kl"]]
    """Default the logit difference, of examples without a foil the logit of the target."""
    method: NotRequired[Literal["exact", "attribution"]]
    """Patched runs, or their estimates by one backward pass."""
    steps: NotRequired[int]
    """Of an attribution."""


class SweepRequestKnockout(TypedDict):
    kind: Literal["knockout"]
    models: Sequence[Union[str, Sequence[str]]]
    """Names that `GET /api/models` lists; training seeds of one model as a list."""
    sources: Sequence[SweepRequestSnrSources]
    """Sets of prompts, such as one a length or task; each is summed up by itself."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""
    layers: NotRequired[Sequence[int]]
    """Default: all."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together."""
    memory_mb: NotRequired[int]
    """Refuse an example that would take more beside the weights."""
    queries: NotRequired[Literal["later", "answer"]]
    """Who stops reading."""
    reads: NotRequired[Literal["scan", "block"]]
    together: NotRequired[bool]
    """All layers at once."""
    attribution: NotRequired[Literal[True]]
    """Estimates by one backward pass in place of changed runs."""


class SweepRequestAblate(TypedDict):
    kind: Literal["ablate"]
    models: Sequence[Union[str, Sequence[str]]]
    """Names that `GET /api/models` lists; training seeds of one model as a list."""
    sources: Sequence[SweepRequestSnrSources]
    """Sets of prompts, such as one a length or task; each is summed up by itself."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""
    layers: NotRequired[Sequence[int]]
    """Default: all."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together."""
    memory_mb: NotRequired[int]
    """Refuse an example that would take more beside the weights."""
    unit: NotRequired[Literal["block", "mixer", "head", "channel"]]
    method: NotRequired[Literal["zero", "mean", "resample"]]
    reference: NotRequired[Union[Literal["self"], Sequence[Sequence[int]]]]
    """Token ids of the prompts that `mean` and `resample` are taken from, aligned at their end; `self` for each prompt itself."""
    rows: NotRequired[Literal["all", "class"]]
    """At every token at once, or at those of one class after the other."""
    attribution: NotRequired[Literal[True]]
    """Estimates by one backward pass in place of changed runs."""


SweepRequest = Union[SweepRequestSnr, SweepRequestAllocation, SweepRequestPatch, SweepRequestKnockout, SweepRequestAblate]


class AnalysisRequestPatchClasses(TypedDict):
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    needle: NotRequired[Sequence[int]]
    """Half-open span [start, end)."""
    competing: NotRequired[Sequence[Sequence[int]]]
    question: NotRequired[Sequence[Sequence[int]]]


class AnalysisRequestPatchAlign(TypedDict):
    clean: Sequence[int]
    """Half-open span [start, end)."""
    corrupted: Sequence[int]
    """Half-open span [start, end)."""


class AnalysisRequestPatch(TypedDict):
    kind: Literal["patch"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    clean: Union[str, Sequence[int]]
    """A text, or token ids."""
    corrupted: Union[str, Sequence[int]]
    """A text, or token ids."""
    direction: NotRequired[Literal["denoise", "noise"]]
    """`denoise` (default) carries the clean run into the corrupted prompt, `noise` the corrupted run into the clean prompt."""
    spans: NotRequired[Sequence[Sequence[int]]]
    """Patched as a whole, in the prompt that receives; default each token."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together; default 1."""
    align: NotRequired[Sequence[AnalysisRequestPatchAlign]]
    """Tokens that stand for each other; default each for the one at its place."""
    point: NotRequired[str]
    """A hook point of the block, `hook_h` (states), or `ssm`, `conv` (what decoding remembers)."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    channels: NotRequired[Sequence[int]]
    heads: NotRequired[Sequence[int]]


class AnalysisRequestPatchAttribution(TypedDict):
    kind: Literal["patch_attribution"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    clean: Union[str, Sequence[int]]
    """A text, or token ids."""
    corrupted: Union[str, Sequence[int]]
    """A text, or token ids."""
    direction: NotRequired[Literal["denoise", "noise"]]
    """`denoise` (default) carries the clean run into the corrupted prompt, `noise` the corrupted run into the clean prompt."""
    spans: NotRequired[Sequence[Sequence[int]]]
    """Patched as a whole, in the prompt that receives; default each token."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together; default 1."""
    align: NotRequired[Sequence[AnalysisRequestPatchAlign]]
    """Tokens that stand for each other; default each for the one at its place."""
    points: NotRequired[Sequence[str]]
    """Hook points of the block, `mixer_1` and `mixer_2` (what a branch brings to the subtraction), `hook_h` (states), `ssm`; default the residual stream, block outputs and branches."""
    metric: NotRequired[Literal["logit_difference", "target_logit", "margin", "target_prob", "target_logprob", "kl"]]
    """Measure that is followed; default the logit difference, or the logit of the target without a foil."""
    steps: NotRequired[int]
    """Runs between both prompts that gradients are averaged over; 1 takes the run that receives."""
    check: NotRequired[int]
    """The strongest cells of every kind that are computed exactly as well."""


class AnalysisRequestKnockout(TypedDict):
    kind: Literal["knockout"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    spans: NotRequired[Sequence[Sequence[int]]]
    """Sources, each knocked out by itself; default each token."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together; default 1."""
    queries: NotRequired[Union[Literal["later", "answer"], Sequence[int]]]
    """Who stops reading."""
    reads: NotRequired[Literal["scan", "block"]]
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    together: NotRequired[bool]
    """All layers at once."""


class AnalysisRequestKnockoutAttribution(TypedDict):
    kind: Literal["knockout_attribution"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    spans: NotRequired[Sequence[Sequence[int]]]
    """Sources, each knocked out by itself; default each token."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers that follow each other among those chosen and are changed together; default 1."""
    queries: NotRequired[Union[Literal["later", "answer"], Sequence[int]]]
    """Who stops reading."""
    reads: NotRequired[Literal["scan", "block"]]
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    together: NotRequired[bool]
    """All layers at once."""
    check: NotRequired[int]
    """The strongest cells of every kind that are computed exactly as well."""


class AnalysisRequestAblate(TypedDict):
    kind: Literal["ablate"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    unit: NotRequired[Literal["block", "mixer", "head", "channel"]]
    spans: NotRequired[Sequence[Sequence[int]]]
    """Tokens at which parts are replaced, each span by itself; default all tokens at once."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers whose blocks, or the same mixers, are replaced together; default 1."""
    method: NotRequired[Literal["zero", "mean", "resample"]]
    reference: NotRequired[Union[Literal["self"], str, Sequence[Union[str, Sequence[int]]]]]
    """Prompts that `mean` and `resample` are taken from, aligned at their last token; `demo:n` held-out stories; `self` for the prompt itself, over all its tokens. Only these methods take one, and they cannot do without."""
    candidates: NotRequired[Sequence[Union[int, str]]]
    """Answer set of `snr_candidates`."""
    seed: NotRequired[int]
    """Of `resample` and of stories."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""


class AnalysisRequestAblateAttribution(TypedDict):
    kind: Literal["ablate_attribution"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    unit: NotRequired[Literal["block", "mixer", "head", "channel"]]
    spans: NotRequired[Sequence[Sequence[int]]]
    """Tokens at which parts are replaced, each span by itself; default all tokens at once."""
    classes: NotRequired[AnalysisRequestPatchClasses]
    """Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt."""
    window: NotRequired[int]
    """Layers whose blocks, or the same mixers, are replaced together; default 1."""
    method: NotRequired[Literal["zero", "mean", "resample"]]
    reference: NotRequired[Union[Literal["self"], str, Sequence[Union[str, Sequence[int]]]]]
    """Prompts that `mean` and `resample` are taken from, aligned at their last token; `demo:n` held-out stories; `self` for the prompt itself, over all its tokens. Only these methods take one, and they cannot do without."""
    candidates: NotRequired[Sequence[Union[int, str]]]
    """Answer set of `snr_candidates`."""
    seed: NotRequired[int]
    """Of `resample` and of stories."""
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    check: NotRequired[int]
    """The strongest cells of every kind that are computed exactly as well."""


class AnalysisRequestLambdaClasses(TypedDict):
    """With a needle, what every layer reads of it under each value is said too."""
    needle: NotRequired[Sequence[int]]
    """Half-open span [start, end)."""
    competing: NotRequired[Sequence[Sequence[int]]]
    question: NotRequired[Sequence[Sequence[int]]]


class AnalysisRequestLambda(TypedDict):
    kind: Literal["lambda"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    values: Sequence[float]
    """Values of λ that are tried; 0 removes branch 2."""
    relative: NotRequired[bool]
    """Values are multiples of each layer’s own λ: 1 is the model as it is."""
    classes: NotRequired[AnalysisRequestLambdaClasses]
    """With a needle, what every layer reads of it under each value is said too."""
    candidates: NotRequired[Sequence[Union[int, str]]]
    """Answer set of `snr_candidates`."""
    together: NotRequired[bool]
    """All layers at once."""


class AnalysisRequestCancellation(TypedDict):
    """Former name of `allocation` of one prompt, which it is answered by."""
    kind: Literal["cancellation"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    needle: Sequence[int]
    """Tokens that hold the answer."""
    candidates: NotRequired[Sequence[Union[int, str]]]
    """Without a foil, the target is held against their mean."""


class AnalysisRequestCancellationBatch(TypedDict):
    """Former name of `allocation` over a batch, which it is answered by."""
    kind: Literal["cancellation_batch"]
    model: str
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    examples: Union[Sequence[SweepRequestSnrSourcesExamples], str]
    """Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""


class AnalysisRequestInterveneLambdas(TypedDict):
    layer: int
    """Counted from 0."""
    value: float


class AnalysisRequestInterveneRemoved(TypedDict):
    layer: int
    """Counted from 0."""
    unit: Literal["block", "mixer", "head", "channel"]
    mixer: NotRequired[Literal["mixer_1", "mixer_2"]]
    """One mixer of differential blocks."""
    index: NotRequired[int]


class AnalysisRequestIntervene(TypedDict):
    kind: Literal["intervene"]
    model: str
    target: Union[int, str]
    """A token id, or a word whose first token counts."""
    foil: NotRequired[Union[int, str]]
    """The wrong answer that the target is held against."""
    position: NotRequired[int]
    """Token that is read; negative numbers count from the end."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    prompt: Union[str, Sequence[int]]
    """A text, or token ids."""
    candidates: NotRequired[Sequence[Union[int, str]]]
    """Answer set of `snr_candidates`."""
    lambdas: NotRequired[Sequence[AnalysisRequestInterveneLambdas]]
    """λ of differential blocks, all set together."""
    removed: NotRequired[Sequence[AnalysisRequestInterveneRemoved]]
    """Blocks, mixers, heads or channels, all taken out together."""
    method: NotRequired[Literal["zero", "mean"]]
    """What stands in for what is taken out."""
    reference: NotRequired[Union[Literal["self"], str, Sequence[Union[str, Sequence[int]]]]]
    """Prompts that `mean` and `resample` are taken from, aligned at their last token; `demo:n` held-out stories; `self` for the prompt itself, over all its tokens. Only these methods take one, and they cannot do without."""
    seed: NotRequired[int]
    """Of stories; default 0."""


class AnalysisRequestAllocation(TypedDict):
    kind: Literal["allocation"]
    models: Sequence[Union[str, Sequence[str]]]
    """One model, or several to compare; training seeds of one as a list."""
    examples: Union[Sequence[SweepRequestSnrSourcesExamples], str]
    """Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles."""
    layers: NotRequired[Sequence[int]]
    """Layer numbers from 0; default all."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""


class AnalysisRequestFaithfulness(TypedDict):
    kind: Literal["faithfulness"]
    models: Sequence[str]
    """One model, or several."""
    examples: Union[Sequence[SweepRequestSnrSourcesExamples], str]
    """Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles."""
    orders: NotRequired[Sequence[Literal["s6", "block", "logit", "norm", "rollout_norm", "rollout_alti", "rollout_plain", "attribution", "gradient_input", "random"]]]
    """What says which sources matter; `random` is what they are held against."""
    watch: NotRequired[Literal["logit", "logprob"]]
    """The logit of the target, less that of the foil where there is one; or ln p of the target."""
    points: NotRequired[int]
    """Steps of a curve."""
    draws: NotRequired[int]
    """Random orders that are averaged."""
    memory_mb: NotRequired[int]
    """Refuse what would take more beside the weights. The server has a limit of its own."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of random orders, the bootstrap and stories."""


class AnalysisRequestSnr(TypedDict):
    kind: Literal["snr"]
    models: Sequence[str]
    """One model, or two to compare."""
    examples: Union[Sequence[SweepRequestSnrSourcesExamples], str]
    """Up to 1000 examples, or `demo:n`: n held-out stories of the demo task with known needles."""
    metrics: NotRequired[Sequence[Literal["target_prob", "target_logprob", "target_log_odds", "margin", "margin_std", "snr_vocab", "snr_candidates", "needle_against_context", "log_odds", "attention_snr"]]]
    """Default: all that the examples allow. `log_odds` is the former name of `margin`, taken in this version only."""
    lens: NotRequired[Literal["logit", "tuned"]]
    """`tuned` uses the translators in the folder `tuned-lens` of the model."""
    resamples: NotRequired[int]
    """Of the bootstrap."""
    seed: NotRequired[int]
    """Of the bootstrap and of stories; equal seeds give equal numbers."""


AnalysisRequest = Union[AnalysisRequestPatch, AnalysisRequestPatchAttribution, AnalysisRequestKnockout, AnalysisRequestKnockoutAttribution, AnalysisRequestAblate, AnalysisRequestAblateAttribution, AnalysisRequestLambda, AnalysisRequestCancellation, AnalysisRequestCancellationBatch, AnalysisRequestIntervene, AnalysisRequestAllocation, AnalysisRequestFaithfulness, AnalysisRequestSnr]


AnalysisResultPatchClasses = TypedDict(
    "AnalysisResultPatchClasses",
    {
        "class": "Literal[\"self\", \"needle\", \"competing\", \"question\", \"first\", \"filler\"]",
        "spans": "Sequence[Sequence[int]]",
    },
)


class AnalysisResultPatchMetrics(TypedDict):
    clean: Optional[float]
    """Null where it is not defined, or not computed yet."""
    corrupted: Optional[float]
    """Null where it is not defined, or not computed yet."""
    patched: Sequence[Sequence[Optional[float]]]


class AnalysisResultPatchCautions(TypedDict):
    kind: Literal["small_gap", "no_foil", "other_tokens"]
    text: str
    metric: NotRequired[Literal["logit_difference", "target_logit", "margin", "target_prob", "target_logprob", "target_rank", "kl"]]
    """Of a small gap."""
    positions: NotRequired[Sequence[int]]
    """Of other tokens that differ, in the prompt that receives."""


class AnalysisResultPatch(TypedDict):
    kind: Literal["patch"]
    metric: Literal["logit_difference", "target_logit"]
    layers: Sequence[int]
    windows: NotRequired[Sequence[Sequence[int]]]
    """All layers of every row, which are changed together, `layers` the first; absent in results from before there were windows."""
    spans: Sequence[Sequence[int]]
    classes: NotRequired[Sequence[AnalysisResultPatchClasses]]
    """Where columns are classes: which, and of what tokens; `spans` are from the first to the last."""
    position: int
    clean: Optional[float]
    """Null where it is not defined, or not computed yet."""
    corrupted: Optional[float]
    """Null where it is not defined, or not computed yet."""
    patched: Sequence[Sequence[Optional[float]]]
    effect: Sequence[Sequence[Optional[float]]]
    direction: Literal["denoise", "noise"]
    metrics: Mapping[str, AnalysisResultPatchMetrics]
    """Every measure of the same runs; an effect is the share of the way to the run that gives."""
    cautions: Sequence[AnalysisResultPatchCautions]
    """Why effects may not mean what they seem to."""


class AnalysisResultPatchAttributionPoints(TypedDict):
    point: str
    layers: Sequence[int]
    """Layers that have it; the rows of others are null."""
    patched: Sequence[Sequence[Optional[float]]]
    """Estimates of the measure, by layer and span."""
    effect: Sequence[Sequence[Optional[float]]]


class AnalysisResultPatchAttributionAgreementCells(TypedDict):
    layer: int
    span: Sequence[int]
    """Half-open span [start, end)."""
    estimated: Optional[float]
    """Null where it is not defined, or not computed yet."""
    exact: Optional[float]
    """Null where it is not defined, or not computed yet."""


class AnalysisResultPatchAttributionAgreement(TypedDict):
    point: str
    cells: Sequence[AnalysisResultPatchAttributionAgreementCells]
    rank_correlation: Optional[float]
    """Null where it is not defined, or not computed yet."""
    correlation: Optional[float]
    """Null where it is not defined, or not computed yet."""


class AnalysisResultPatchAttribution(TypedDict):
    kind: Literal["patch_attribution"]
    direction: Literal["denoise", "noise"]
    metric: Literal["logit_difference", "target_logit", "margin", "target_prob", "target_logprob", "kl"]
    steps: int
    layers: Sequence[int]
    windows: NotRequired[Sequence[Sequence[int]]]
    """All layers of every row, which are changed together, `layers` the first; absent in results from before there were windows."""
    spans: Sequence[Sequence[int]]
    classes: NotRequired[Sequence[AnalysisResultPatchClasses]]
    """Where columns are classes: which, and of what tokens; `spans` are from the first to the last."""
    position: int
    clean: Optional[float]
    """Null where it is not defined, or not computed yet."""
    corrupted: Optional[float]
    """Null where it is not defined, or not computed yet."""
    points: Sequence[AnalysisResultPatchAttributionPoints]
    """Estimates by kind of point."""
    agreement: Sequence[AnalysisResultPatchAttributionAgreement]
    """Cells that were computed exactly as well, and how far the changes agree: Spearman’s and Pearson’s."""
    cautions: Sequence[AnalysisResultPatchCautions]
    """Why effects may not mean what they seem to."""


class AnalysisResultKnockoutFrozenNorms(TypedDict):
    without: Sequence[Sequence[Optional[float]]]
    change: Sequence[Sequence[Optional[float]]]


class AnalysisResultKnockout(TypedDict):
    kind: Literal["knockout"]
    metric: Literal["logit_difference", "target_logit"]
    layers: Sequence[Sequence[int]]
    spans: Sequence[Sequence[int]]
    classes: NotRequired[Sequence[AnalysisResultPatchClasses]]
    """Where columns are classes: which, and of what tokens; `spans` are from the first to the last."""
    position: int
    base: Optional[float]
    """Null where it is not defined, or not computed yet."""
    without: Sequence[Sequence[Optional[float]]]
    change: Sequence[Sequence[Optional[float]]]
    tested: Sequence[bool]
    """Of each span, whether somebody who stops reading could read it; where not, its numbers are null."""
    frozen_norms: Optional[AnalysisResultKnockoutFrozenNorms]
    """With every RMS norm dividing as in the unchanged run: what remains after a removal is not rescaled. Null in results from before this was measured."""


class AnalysisResultKnockoutAttribution(TypedDict):
    kind: Literal["knockout_attribution"]
    metric: Literal["logit_difference", "target_logit"]
    layers: Sequence[Sequence[int]]
    spans: Sequence[Sequence[int]]
    classes: NotRequired[Sequence[AnalysisResultPatchClasses]]
    """Where columns are classes: which, and of what tokens; `spans` are from the first to the last."""
    position: int
    base: Optional[float]
    """Null where it is not defined, or not computed yet."""
    without: Sequence[Sequence[Optional[float]]]
    change: Sequence[Sequence[Optional[float]]]
    tested: Sequence[bool]
    """Of each span, whether somebody who stops reading could read it; where not, its numbers are null."""
    agreement: Sequence[AnalysisResultPatchAttributionAgreement]
    """Cells that were computed exactly as well, and how far the changes agree: Spearman’s and Pearson’s."""


class AnalysisResultAblateReference(TypedDict):
    source: Literal["self", "prompts"]
    prompts: int
    """Prompts that were taken."""
    left_out: int
    """Prompts that do not reach back as far as the prompt does."""


class AnalysisResultAblateBase(TypedDict):
    """The unchanged model."""
    value: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_prob: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_rank: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_log_odds: Optional[float]
    """ln p/(1 − p) of the target."""
    margin: Optional[float]
    """Logit of the target minus that of the strongest other token."""
    margin_std: Optional[float]
    """The margin ÷ the standard deviation of the other logits."""
    snr_vocab: Optional[float]
    """Null where it is not defined, or not computed yet."""
    snr_candidates: Optional[float]
    """Null where it is not defined, or not computed yet."""
    kl: Optional[float]
    """Null where it is not defined, or not computed yet."""
    answer: int


class AnalysisResultAblateRunsFrozenNorms(TypedDict):
    value: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_prob: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_rank: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_log_odds: Optional[float]
    """ln p/(1 − p) of the target."""
    margin: Optional[float]
    """Logit of the target minus that of the strongest other token."""
    margin_std: Optional[float]
    """The margin ÷ the standard deviation of the other logits."""
    snr_vocab: Optional[float]
    """Null where it is not defined, or not computed yet."""
    snr_candidates: Optional[float]
    """Null where it is not defined, or not computed yet."""
    kl: Optional[float]
    """Null where it is not defined, or not computed yet."""
    answer: int
    change: Optional[float]
    """Null where it is not defined, or not computed yet."""


AnalysisResultAblateRuns = TypedDict(
    "AnalysisResultAblateRuns",
    {
        "layer": "int",
        "unit": "Literal[\"block\", \"mixer\", \"head\", \"channel\"]",
        "mixer": "NotRequired[Literal[\"mixer_1\", \"mixer_2\"]]",
        "index": "NotRequired[int]",
        "layers": "NotRequired[Sequence[int]]",
        "span": "NotRequired[Sequence[int]]",
        "class": "NotRequired[Literal[\"self\", \"needle\", \"competing\", \"question\", \"first\", \"filler\"]]",
        "tokens": "NotRequired[int]",
        "value": "Optional[float]",
        "target_prob": "Optional[float]",
        "target_rank": "Optional[float]",
        "target_log_odds": "Optional[float]",
        "margin": "Optional[float]",
        "margin_std": "Optional[float]",
        "snr_vocab": "Optional[float]",
        "snr_candidates": "Optional[float]",
        "kl": "Optional[float]",
        "answer": "int",
        "change": "Optional[float]",
        "frozen_norms": "Optional[AnalysisResultAblateRunsFrozenNorms]",
    },
)


class AnalysisResultAblate(TypedDict):
    kind: Literal["ablate"]
    metric: Literal["logit_difference", "target_logit"]
    position: int
    reference: Optional[AnalysisResultAblateReference]
    """What `mean` and `resample` were taken from."""
    base: AnalysisResultAblateBase
    """The unchanged model."""
    runs: Sequence[AnalysisResultAblateRuns]


AnalysisResultAblateAttributionRuns = TypedDict(
    "AnalysisResultAblateAttributionRuns",
    {
        "layer": "int",
        "unit": "Literal[\"block\", \"mixer\", \"head\", \"channel\"]",
        "mixer": "NotRequired[Literal[\"mixer_1\", \"mixer_2\"]]",
        "index": "NotRequired[int]",
        "layers": "NotRequired[Sequence[int]]",
        "span": "NotRequired[Sequence[int]]",
        "class": "NotRequired[Literal[\"self\", \"needle\", \"competing\", \"question\", \"first\", \"filler\"]]",
        "tokens": "NotRequired[int]",
        "value": "Optional[float]",
        "change": "Optional[float]",
    },
)


AnalysisResultAblateAttributionAgreementCells = TypedDict(
    "AnalysisResultAblateAttributionAgreementCells",
    {
        "layer": "int",
        "unit": "Literal[\"block\", \"mixer\", \"head\", \"channel\"]",
        "mixer": "NotRequired[Literal[\"mixer_1\", \"mixer_2\"]]",
        "index": "NotRequired[int]",
        "layers": "NotRequired[Sequence[int]]",
        "span": "NotRequired[Sequence[int]]",
        "class": "NotRequired[Literal[\"self\", \"needle\", \"competing\", \"question\", \"first\", \"filler\"]]",
        "tokens": "NotRequired[int]",
        "estimated": "Optional[float]",
        "exact": "Optional[float]",
    },
)


class AnalysisResultAblateAttributionAgreement(TypedDict):
    point: str
    cells: Sequence[AnalysisResultAblateAttributionAgreementCells]
    rank_correlation: Optional[float]
    """Null where it is not defined, or not computed yet."""
    correlation: Optional[float]
    """Null where it is not defined, or not computed yet."""


class AnalysisResultAblateAttribution(TypedDict):
    kind: Literal["ablate_attribution"]
    metric: Literal["logit_difference", "target_logit"]
    position: int
    reference: Optional[AnalysisResultAblateReference]
    """What `mean` and `resample` were taken from."""
    base: AnalysisResultAblateBase
    """The unchanged model."""
    runs: Sequence[AnalysisResultAblateAttributionRuns]
    agreement: Sequence[AnalysisResultAblateAttributionAgreement]
    """Cells that were computed exactly as well, and how far the changes agree: Spearman’s and Pearson’s."""


AnalysisResultLambdaOwn = TypedDict(
    "AnalysisResultLambdaOwn",
    {
        "layer": "int",
        "lambda": "Optional[float]",
    },
)


AnalysisResultLambdaRuns = TypedDict(
    "AnalysisResultLambdaRuns",
    {
        "layers": "Sequence[int]",
        "lambda": "float",
        "needle_against_context": "NotRequired[Sequence[Optional[float]]]",
        "value": "Optional[float]",
        "target_prob": "Optional[float]",
        "target_rank": "Optional[float]",
        "target_log_odds": "Optional[float]",
        "margin": "Optional[float]",
        "margin_std": "Optional[float]",
        "snr_vocab": "Optional[float]",
        "snr_candidates": "Optional[float]",
        "kl": "Optional[float]",
        "answer": "int",
        "change": "Optional[float]",
        "frozen_norms": "Optional[AnalysisResultAblateRunsFrozenNorms]",
    },
)


class AnalysisResultLambda(TypedDict):
    kind: Literal["lambda"]
    metric: Literal["logit_difference", "target_logit"]
    position: int
    base: AnalysisResultAblateBase
    """The unchanged model."""
    relative: NotRequired[bool]
    own: NotRequired[Sequence[AnalysisResultLambdaOwn]]
    """λ of the layers that are changed as it is; its mean where a layer has one a channel."""
    needle_against_context: NotRequired[Sequence[Optional[float]]]
    """The needle’s part of what every layer of the unchanged model reads of its context, by norms."""
    runs: Sequence[AnalysisResultLambdaRuns]


class AnalysisResultInterveneChanged(TypedDict):
    value: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_prob: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_rank: Optional[float]
    """Null where it is not defined, or not computed yet."""
    target_log_odds: Optional[float]
    """ln p/(1 − p) of the target."""
    margin: Optional[float]
    """Logit of the target minus that of the strongest other token."""
    margin_std: Optional[float]
    """The margin ÷ the standard deviation of the other logits."""
    snr_vocab: Optional[float]
    """Null where it is not defined, or not computed yet."""
    snr_candidates: Optional[float]
    """Null where it is not defined, or not computed yet."""
    kl: Optional[float]
    """Null where it is not defined, or not computed yet."""
    answer: int


class AnalysisResultInterveneLayers(TypedDict):
    layer: int
    base: AnalysisResultInterveneChanged
    changed: AnalysisResultInterveneChanged
    frozen_norms: Optional[AnalysisResultInterveneChanged]
    """Null until this block has run that way."""


class AnalysisResultIntervene(TypedDict):
    kind: Literal["intervene"]
    metric: Literal["logit_difference", "target_logit"]
    position: int
    reference: Optional[AnalysisResultAblateReference]
    """What `mean` and `resample` were taken from."""
    base: AnalysisResultAblateBase
    """The unchanged model."""
    changed: Optional[AnalysisResultInterveneChanged]
    """Null until the last block has run."""
    frozen_norms: Optional[AnalysisResultInterveneChanged]
    """With every RMS norm dividing as in the unchanged run: what remains after a removal is not rescaled. Null in results from before this was measured."""
    layers: Sequence[AnalysisResultInterveneLayers]
    """What the residual stream after each block says through the logit lens."""


class AnalysisResultCancellationLayersLogitSources(TypedDict):
    first: Sequence[Optional[float]]
    second: Sequence[Optional[float]]
    difference: Sequence[Optional[float]]


class AnalysisResultCancellationLayersLogitNeedle(TypedDict):
    first: Optional[float]
    """Null where it is not defined, or not computed yet."""
    second: Optional[float]
    """Null where it is not defined, or not computed yet."""
    difference: Optional[float]
    """Null where it is not defined, or not computed yet."""


class AnalysisResultCancellationLayersLogitRemoved(TypedDict):
    needle: Optional[float]
    """Null where it is not defined, or not computed yet."""
    noise: Optional[float]
    """Null where it is not defined, or not computed yet."""


class AnalysisResultCancellationLayersLogit(TypedDict):
    sources: AnalysisResultCancellationLayersLogitSources
    needle: AnalysisResultCancellationLayersLogitNeedle
    noise: AnalysisResultCancellationLayersLogitNeedle
    share: AnalysisResultCancellationLayersLogitNeedle
    removed: AnalysisResultCancellationLayersLogitRemoved


AnalysisResultCancellationLayers = TypedDict(
    "AnalysisResultCancellationLayers",
    {
        "layer": "int",
        "lambda": "Optional[float]",
        "logit": "AnalysisResultCancellationLayersLogit",
        "norm": "AnalysisResultCancellationLayersLogit",
        "rest": "Optional[float]",
        "total": "Optional[float]",
        "reconstructionError": "Optional[float]",
    },
)


class AnalysisResultCancellation(TypedDict):
    """Of an earlier version."""
    kind: Literal["cancellation"]
    position: int
    needle: Sequence[int]
    """Half-open span [start, end)."""
    layers: Sequence[AnalysisResultCancellationLayers]


class AnalysisResultCancellationBatchLayersLogitShareFirst(TypedDict):
    mean: Optional[float]
    """Null where it is not defined, or not computed yet."""
    stderr: Optional[float]
    """Null where it is not defined, or not computed yet."""
    low: Optional[float]
    """Null where it is not defined, or not computed yet."""
    high: Optional[float]
    """Null where it is not defined, or not computed yet."""
    n: int


class AnalysisResultCancellationBatchLayersLogitShare(TypedDict):
    first: AnalysisResultCancellationBatchLayersLogitShareFirst
    second: AnalysisResultCancellationBatchLayersLogitShareFirst
    difference: AnalysisResultCancellationBatchLayersLogitShareFirst


class AnalysisResultCancellationBatchLayersLogitGain(TypedDict):
    """Share in the difference minus share in branch 1, prompt by prompt."""
    mean: Optional[float]
    """Null where it is not defined, or not computed yet."""
    stderr: Optional[float]
    """Null where it is not defined, or not computed yet."""
    low: Optional[float]
    """Null where it is not defined, or not computed yet."""
    high: Optional[float]
    """Null where it is not defined, or not computed yet."""
    n: int


class AnalysisResultCancellationBatchLayersLogitRemoved(TypedDict):
    needle: AnalysisResultCancellationBatchLayersLogitShareFirst
    noise: AnalysisResultCancellationBatchLayersLogitShareFirst


class AnalysisResultCancellationBatchLayersLogit(TypedDict):
    share: AnalysisResultCancellationBatchLayersLogitShare
    gain: AnalysisResultCancellationBatchLayersLogitGain
    """Share in the difference minus share in branch 1, prompt by prompt."""
    removed: AnalysisResultCancellationBatchLayersLogitRemoved


AnalysisResultCancellationBatchLayers = TypedDict(
    "AnalysisResultCancellationBatchLayers",
    {
        "layer": "int",
        "lambda": "Optional[float]",
        "logit": "AnalysisResultCancellationBatchLayersLogit",
        "norm": "AnalysisResultCancellationBatchLayersLogit",
        "reconstructionError": "Optional[float]",
    },
)


class AnalysisResultCancellationBatch(TypedDict):
    """Of an earlier version."""
    kind: Literal["cancellation_batch"]
    examples: int
    """Prompts that are finished."""
    of: int
    layers: Sequence[AnalysisResultCancellationBatchLayers]
    """Means with bootstrap 95 % intervals; empty before the first prompt."""


class AnalysisResultAllocationIntervals(TypedDict):
    """What the intervals of all models cover; absent where there are none, as of one prompt."""
    level: float
    over: Literal["prompts", "training seeds and prompts"]


class AnalysisResultAllocationModels(TypedDict):
    model: str
    seeds: NotRequired[int]
    answer_logprob: NotRequired[Optional[AllocationLayersNetNormShareSelf]]
    """ln p of the whole answer, each token given those before it, where some answers have several tokens."""
    layers: Sequence[AllocationLayers]


class AnalysisResultAllocationPairedLayersNeedleAgainstContext(TypedDict):
    mean: float
    low: float
    high: float
    p: float


class AnalysisResultAllocationPairedLayers(TypedDict):
    layer: int
    needle_against_context: Optional[AnalysisResultAllocationPairedLayersNeedleAgainstContext]


class AnalysisResultAllocationPaired(TypedDict):
    models: Sequence[str]
    layers: Sequence[AnalysisResultAllocationPairedLayers]


class AnalysisResultAllocation(TypedDict):
    kind: Literal["allocation"]
    note: NotRequired[str]
    """What the request should know: a former name, answers of several tokens."""
    examples: int
    """Prompts that each model listed has read."""
    intervals: NotRequired[AnalysisResultAllocationIntervals]
    """What the intervals of all models cover; absent where there are none, as of one prompt."""
    models: Sequence[AnalysisResultAllocationModels]
    """Models that are finished; of the first one the prompts that are, where it was cancelled."""
    paired: NotRequired[Sequence[AnalysisResultAllocationPaired]]
    """Second model minus first on the same prompts, for models of equal depth."""


class AnalysisResultFaithfulnessIntervals(TypedDict):
    """What intervals cover; absent for one prompt."""
    level: float
    over: Literal["prompts", "training seeds and prompts"]


class AnalysisResultFaithfulnessModelsOrdersFrozenNorms(TypedDict):
    """The same with every RMS norm dividing as in the untouched pass."""
    deletion_area: Optional[AllocationLayersNetNormShareSelf]
    """Between the model without any source, 0, and the whole one, 1: low where the order finds what matters."""
    insertion_area: Optional[AllocationLayersNetNormShareSelf]
    """The same of giving back: high where it does."""
    above_random: NotRequired[Optional[AllocationLayersNetNormShareSelf]]
    """insertion − deletion less that of random orders."""
    deletion: Sequence[float]
    """Mean over prompts of what is watched, from all sources to none."""
    insertion: Sequence[float]
    """From none to all."""


class AnalysisResultFaithfulnessModelsOrders(TypedDict):
    order: Literal["s6", "block", "logit", "norm", "rollout_norm", "rollout_alti", "rollout_plain", "attribution", "gradient_input", "random"]
    deletion_area: Optional[AllocationLayersNetNormShareSelf]
    """Between the model without any source, 0, and the whole one, 1: low where the order finds what matters."""
    insertion_area: Optional[AllocationLayersNetNormShareSelf]
    """The same of giving back: high where it does."""
    above_random: NotRequired[Optional[AllocationLayersNetNormShareSelf]]
    """insertion − deletion less that of random orders."""
    deletion: Sequence[float]
    """Mean over prompts of what is watched, from all sources to none."""
    insertion: Sequence[float]
    """From none to all."""
    frozen_norms: AnalysisResultFaithfulnessModelsOrdersFrozenNorms
    """The same with every RMS norm dividing as in the untouched pass."""


class AnalysisResultFaithfulnessModels(TypedDict):
    model: str
    orders: Sequence[AnalysisResultFaithfulnessModelsOrders]


class AnalysisResultFaithfulness(TypedDict):
    kind: Literal["faithfulness"]
    examples: int
    watch: Literal["logit", "logprob"]
    points: int
    intervals: NotRequired[AnalysisResultFaithfulnessIntervals]
    """What intervals cover; absent for one prompt."""
    models: Sequence[AnalysisResultFaithfulnessModels]
    """Models that are finished; of the first one the prompts that are, where it was cancelled."""


AnalysisResult = Union[AnalysisResultPatch, AnalysisResultPatchAttribution, AnalysisResultKnockout, AnalysisResultKnockoutAttribution, AnalysisResultAblate, AnalysisResultAblateAttribution, AnalysisResultLambda, AnalysisResultIntervene, AnalysisResultCancellation, AnalysisResultCancellationBatch, AnalysisResultAllocation, AnalysisResultFaithfulness, SnrResult]


class AnalysisBudget(TypedDict):
    rows: int
    """Prompts in one batch."""
    bytes: int
    """Most bytes beside the weights at a time."""


class AnalysisProgress(TypedDict):
    done: int
    """Steps that are finished: blocks; for an allocation each example of every model once as it is read, then its layers; for faithfulness each example of every model once as it is read, then 20 times; for SNR each example three times: read, run, and looked at through the lens."""
    total: int
    secondsLeft: Optional[float]


class AnalysisTiming(TypedDict):
    createdAt: float
    """Milliseconds since 1970."""
    startedAt: Optional[float]
    finishedAt: Optional[float]


class Analysis(TypedDict):
    id: str
    state: Literal["queued", "running", "done", "cancelled", "error", "interrupted"]
    """`interrupted`: the server ended before the work did; it can be asked for again."""
    request: Union[AnalysisRequestPatch, AnalysisRequestPatchAttribution, AnalysisRequestKnockout, AnalysisRequestKnockoutAttribution, AnalysisRequestAblate, AnalysisRequestAblateAttribution, AnalysisRequestLambda, AnalysisRequestCancellation, AnalysisRequestCancellationBatch, AnalysisRequestIntervene, AnalysisRequestAllocation, AnalysisRequestFaithfulness, AnalysisRequestSnr]
    note: NotRequired[str]
    """As it was answered when the analysis was created."""
    tokenizers: NotRequired[Mapping[str, ModelListModelsTokenizer]]
    """What reads the text of each model, by its name; left out where no text was read."""
    run: NotRequired[str]
    """The run that keeps it."""
    queuePosition: int
    """0 when running or finished; runs wait in the same queue."""
    budget: AnalysisBudget
    progress: Optional[AnalysisProgress]
    result: Optional[Union[AnalysisResultPatch, AnalysisResultPatchAttribution, AnalysisResultKnockout, AnalysisResultKnockoutAttribution, AnalysisResultAblate, AnalysisResultAblateAttribution, AnalysisResultLambda, AnalysisResultIntervene, AnalysisResultCancellation, AnalysisResultCancellationBatch, AnalysisResultAllocation, AnalysisResultFaithfulness, SnrResult]]
    """What is finished so far."""
    device: Optional[HealthDevice]
    timing: AnalysisTiming
    error: NotRequired[str]


class Api(Http):
    """Every operation of the server, by method and path."""

    def get_health(
        self,
    ) -> Health:
        """State of the server; never waits for a computation.

        Answers: State"""
        return cast("Health", self._json("GET", "/api/health"))

    def get_models(
        self,
    ) -> ModelList:
        """Models that can be run.

        Answers: Models"""
        return cast("ModelList", self._json("GET", "/api/models"))

    def post_models(
        self,
        body: ModelFolder,
    ) -> ModelList:
        """Adds the checkpoints of a folder, and two levels below it.

        Answers: What the folder holds"""
        return cast("ModelList", self._json("POST", "/api/models", body=body))

    def patch_models(
        self,
        body: TokenizerRequest,
    ) -> ModelList:
        """Chooses the tokenizer that reads a model’s text.

        Answers: Models"""
        return cast("ModelList", self._json("PATCH", "/api/models", body=body))

    def delete_models(
        self,
        *,
        folder: str,
    ) -> ModelList:
        """Takes a folder that was added, or one that is gone, from the list; its files stay.

        Answers: What is left

        folder: An absolute path, or one below `models/` of Statescope."""
        return cast("ModelList", self._json("DELETE", "/api/models", query={"folder": folder}))

    def get_examples(
        self,
    ) -> ExampleList:
        """Prompts that come with the bundled models.

        Answers: Examples"""
        return cast("ExampleList", self._json("GET", "/api/examples"))

    def get_training(
        self,
        *,
        folder: Optional[str] = None,
    ) -> TrainingRuns:
        """Runs of `statescope train` among the models, in `runs/` and in `experiments/`, as they stand.

        Answers: Curves, λ, evaluations and samples

        folder: Only runs in it and up to four levels below; absolute, or from where the server was set up."""
        return cast("TrainingRuns", self._json("GET", "/api/training", query={"folder": folder}))

    def post_tokenize(
        self,
        body: TokenizeRequest,
    ) -> TokenizeReply:
        """Tokens of a text with their UTF-16 offsets.

        Answers: Tokens"""
        return cast("TokenizeReply", self._json("POST", "/api/tokenize", body=body))

    def get_vocabulary(
        self,
        *,
        model: str,
        q: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> VocabularyReply:
        """Searches a model's vocabulary.

        Answers: At most `limit` tokens, best match first

        q: Empty for every token.

        limit: Most tokens to answer."""
        return cast("VocabularyReply", self._json("GET", "/api/vocabulary", query={"model": model, "q": q, "limit": limit}))

    def post_estimate(
        self,
        body: RunRequest,
    ) -> RunEstimate:
        """Memory and time that a run would take, or why it would be refused.

        Answers: Estimate"""
        return cast("RunEstimate", self._json("POST", "/api/estimate", body=body))

    def get_runs(
        self,
    ) -> RunList:
        """Runs in memory and on disk, newest first.

        Answers: Runs"""
        return cast("RunList", self._json("GET", "/api/runs"))

    def post_runs(
        self,
        body: RunRequest,
    ) -> RunCreated:
        """Queues a run of one or two models over a prompt.

        Answers: Queued"""
        return cast("RunCreated", self._json("POST", "/api/runs", body=body))

    def get_run(
        self,
        id: str,
    ) -> Run:
        """Whole state of a run.

        Answers: State"""
        return cast("Run", self._json("GET", f"/api/runs/{quote(id)}"))

    def patch_run(
        self,
        id: str,
        body: RunPatch,
    ) -> Run:
        """Names a run.

        Answers: State"""
        return cast("Run", self._json("PATCH", f"/api/runs/{quote(id)}", body=body))

    def delete_run(
        self,
        id: str,
        *,
        forget: Optional[Literal["true", "false"]] = None,
    ) -> Run:
        """Cancels before the next layer; what is finished stays readable unless it is to be forgotten.

        Answers: State when the request arrived

        forget: Whether to remove the run from memory and disk too."""
        return cast("Run", self._json("DELETE", f"/api/runs/{quote(id)}", query={"forget": forget}))

    def post_run_resume(
        self,
        id: str,
    ) -> Run:
        """Goes on with a run that was cancelled or failed; what it has computed is not computed again.

        Answers: Queued"""
        return cast("Run", self._json("POST", f"/api/runs/{quote(id)}/resume"))

    def get_run_events(
        self,
        id: str,
    ) -> Iterator[Event]:
        """Server-sent events of a run.

        Answers: events `run`, `progress`, `layer`, `signal`, `lens`, `state`"""
        return self._events("GET", f"/api/runs/{quote(id)}/events")

    def get_run_map(
        self,
        id: str,
        *,
        layer: int,
        model: Optional[int] = None,
        branch: Optional[Literal["single", "attention", "mamba", "mixer_1", "mixer_2", "lambda_mixer_2", "diff"]] = None,
        reduce: Optional[str] = None,
        form: Optional[Literal["s6", "softmax", "block", "logit", "norm"]] = None,
        target: Optional[int] = None,
        without: Optional[str] = None,
    ) -> Tensors:
        """Implicit attention of one layer.

        Answers: `map` [L, L] F32, rows destinations, columns sources; `rest` [L] F32 where bias terms belong to no source (form `logit`, a channel of `block`); `__metadata__` as MapMetadata

        branch: Default: the block's last branch.

        reduce: How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`.

        form: What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`.

        target: Token id of the form `logit`; default: the run's target.

        without: Parts of the form `block` that are replaced by the identity, separated by commas."""
        return self._tensors("GET", f"/api/runs/{quote(id)}/map", query={"layer": layer, "model": model, "branch": branch, "reduce": reduce, "form": form, "target": target, "without": without})

    def get_run_map_estimate(
        self,
        id: str,
        *,
        layer: int,
        model: Optional[int] = None,
        branch: Optional[Literal["single", "attention", "mamba", "mixer_1", "mixer_2", "lambda_mixer_2", "diff"]] = None,
        reduce: Optional[str] = None,
        form: Optional[Literal["s6", "softmax", "block", "logit", "norm"]] = None,
        target: Optional[int] = None,
        without: Optional[str] = None,
    ) -> MapEstimate:
        """What a map would take, without making it; 422 where the map would be refused.

        Answers: Bytes

        branch: Default: the block's last branch.

        reduce: How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`.

        form: What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`.

        target: Token id of the form `logit`; default: the run's target.

        without: Parts of the form `block` that are replaced by the identity, separated by commas."""
        return cast("MapEstimate", self._json("GET", f"/api/runs/{quote(id)}/map/estimate", query={"layer": layer, "model": model, "branch": branch, "reduce": reduce, "form": form, "target": target, "without": without}))

    def get_run_channels(
        self,
        id: str,
        *,
        layer: int,
        model: Optional[int] = None,
    ) -> Tensors:
        """Statistics of every channel (Mamba-1 kinds) or head (Mamba-2 kinds) of one layer.

        Answers: `branch.statistic` [units] F32 for half_life, entropy, sink, locality, distance, max, output_share, and `branch.delta` [L, units]; `__metadata__` as ChannelsMetadata"""
        return self._tensors("GET", f"/api/runs/{quote(id)}/channels", query={"layer": layer, "model": model})

    def get_run_tracks(
        self,
        id: str,
        *,
        layer: int,
        model: Optional[int] = None,
        unit: Optional[str] = None,
    ) -> Tensors:
        """What every token does in the scans of one layer: Δ, decay, half-life, gate, norm of the state.

        Answers: `branch.track` [L] F32 for delta, decay, half_life, gate, state_norm; `__metadata__` as TracksMetadata

        unit: A channel (Mamba-1 kinds) or head (Mamba-2 kinds), or the mean over all."""
        return self._tensors("GET", f"/api/runs/{quote(id)}/tracks", query={"layer": layer, "model": model, "unit": unit})

    def get_run_pair(
        self,
        id: str,
        *,
        layer: int,
        i: int,
        j: int,
        model: Optional[int] = None,
        branch: Optional[Literal["single", "mixer_1", "mixer_2"]] = None,
        form: Optional[Literal["s6", "block"]] = None,
        k: Optional[int] = None,
    ) -> Pair:
        """The channels or heads that read most from one token at another.

        Answers: Channels

        i: Target token.

        j: Source token, not after the target.

        branch: Default: the first scan."""
        return cast("Pair", self._json("GET", f"/api/runs/{quote(id)}/pair", query={"layer": layer, "i": i, "j": j, "model": model, "branch": branch, "form": form, "k": k}))

    def get_run_rollout(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        reduce: Optional[Literal["mean", "mean_abs"]] = None,
        method: Optional[Literal["norm", "alti", "plain", "normalised", "attribution", "attribution_code"]] = None,
        start: Optional[int] = None,
        target: Optional[int] = None,
        position: Optional[int] = None,
    ) -> Tensors:
        """Rollout of shares or of attention over all layers, or gradient-weighted attribution.

        Answers: `map` [L, L] F32; `__metadata__` as RolloutMetadata

        method: What is multiplied over layers: `norm` and `alti`, shares of the residual stream by token, its own included, as lengths or by nearness; and as published by Ali et al. `plain` I + mean α, `normalised` the same with every row divided by its sum, `attribution` I + (mean gradient of a logit ⊙ mean α)⁺, `attribution_code` what their code makes of it. Only `plain` and `normalised` read `reduce`.

        start: First layer that takes part.

        target: Token id of `attribution`; default: the run's target.

        position: Where `attribution` reads the logit; default: the run's position."""
        return self._tensors("GET", f"/api/runs/{quote(id)}/rollout", query={"model": model, "reduce": reduce, "method": method, "start": start, "target": target, "position": position})

    def get_run_thumbnails(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        branch: Optional[Literal["single", "attention", "mamba", "mixer_1", "mixer_2", "lambda_mixer_2", "diff"]] = None,
        reduce: Optional[str] = None,
        form: Optional[Literal["s6", "softmax", "block", "logit", "norm"]] = None,
        target: Optional[int] = None,
        without: Optional[str] = None,
        first: Optional[int] = None,
        count: Optional[int] = None,
        size: Optional[int] = None,
    ) -> Tensors:
        """Small maps of the finished layers.

        Answers: `thumbnails` [layers, s, s] F32, s = min(size, L); `__metadata__` as ThumbnailsMetadata

        branch: Plain blocks always show `single`.

        reduce: How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`.

        form: What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`.

        target: Token id of the form `logit`; default: the run's target.

        without: Parts of the form `block` that are replaced by the identity, separated by commas.

        first: The first layer that is wanted.

        count: How many layers at most. Default: all that are finished."""
        return self._tensors("GET", f"/api/runs/{quote(id)}/thumbnails", query={"model": model, "branch": branch, "reduce": reduce, "form": form, "target": target, "without": without, "first": first, "count": count, "size": size})

    def get_run_lens(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        target: Optional[int] = None,
        lens: Optional[Literal["logit", "tuned"]] = None,
        candidates: Optional[str] = None,
        positions: Optional[str] = None,
    ) -> Tensors:
        """Statistics of the logit lens or the tuned lens at every entry and position.

        Answers: `top_ids` [entries, L, k] I32, `top_probs` [entries, L, k] F32, and [entries, L] F32: target_prob, target_logprob, target_rank, target_log_odds, margin, margin_std, entropy, kl_final_lens, kl_lens_final, snr_vocab, snr_candidates; `__metadata__` as LensMetadata

        target: Token id; default: the run's target.

        lens: `tuned` uses the translators in the folder `tuned-lens` of the model.

        candidates: Token ids for `snr_candidates`; default: the run's candidates.

        positions: Positions, each costs as much as the next; default all."""
        return self._tensors("GET", f"/api/runs/{quote(id)}/lens", query={"model": model, "target": target, "lens": lens, "candidates": candidates, "positions": positions})

    def get_run_signal(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        position: Optional[int] = None,
        target: Optional[int] = None,
        needle: Optional[str] = None,
        competing: Optional[str] = None,
        question: Optional[str] = None,
        lens: Optional[Literal["logit", "tuned"]] = None,
        with_: Optional[Literal["needle_against_context"]] = None,
    ) -> Signal:
        """Signal of the target at one position, per entry.

        Answers: Curves

        position: Default: the run's position.

        target: Token id; default: the run's target.

        needle: `start,end` in tokens; default: the run's needle.

        competing: As for `allocation`, for `needle_against_context`.

        question: The question, likewise: it is no part of the context.

        lens: `tuned` uses the translators in the folder `tuned-lens` of the model.

        with_: The needle against the context costs a row of every layer’s operator, so it is computed only where it is named."""
        return cast("Signal", self._json("GET", f"/api/runs/{quote(id)}/signal", query={"model": model, "position": position, "target": target, "needle": needle, "competing": competing, "question": question, "lens": lens, "with": with_}))

    def get_run_attribution(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        target: Optional[int] = None,
        position: Optional[int] = None,
    ) -> Attribution:
        """Direct logit attribution: what embedding, blocks and branches add to a logit.

        Answers: Contributions

        target: Token id; default: the run's target.

        position: Default: the run's position."""
        return cast("Attribution", self._json("GET", f"/api/runs/{quote(id)}/attribution", query={"model": model, "target": target, "position": position}))

    def get_run_answer(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        position: Optional[int] = None,
        answer: Optional[str] = None,
    ) -> Answer:
        """Score of a whole answer: ln p of all its tokens after the prompt, each given those before it.

        Answers: Score

        position: The token that the answer follows; default: the run's position.

        answer: Token ids; default: those of the run's target."""
        return cast("Answer", self._json("GET", f"/api/runs/{quote(id)}/answer", query={"model": model, "position": position, "answer": answer}))

    def get_run_allocation(
        self,
        id: str,
        *,
        model: Optional[int] = None,
        position: Optional[int] = None,
        target: Optional[int] = None,
        foil: Optional[int] = None,
        needle: Optional[str] = None,
        competing: Optional[str] = None,
        question: Optional[str] = None,
        answer: Optional[str] = None,
    ) -> Allocation:
        """What every finished layer reads at one token, by class of token.

        Answers: Reads by layer and class

        position: Default: the run's position.

        target: Token id; default: the run's target.

        foil: Token id of the wrong answer that the logits are held against.

        needle: `start,end` in tokens; default: the run's needle.

        competing: What names another answer: `start,end` in tokens, separated by semicolons.

        question: The question, likewise.

        answer: Token ids of the whole answer, which is scored where there are several; default: those of the run's target, for that target."""
        return cast("Allocation", self._json("GET", f"/api/runs/{quote(id)}/allocation", query={"model": model, "position": position, "target": target, "foil": foil, "needle": needle, "competing": competing, "question": question, "answer": answer}))

    def get_run_export(
        self,
        id: str,
        *,
        what: Literal["map", "rollout", "lens", "signal", "allocation"],
        format: Literal["csv", "npz", "safetensors", "json"],
        model: Optional[int] = None,
        position: Optional[int] = None,
        target: Optional[int] = None,
        foil: Optional[int] = None,
        needle: Optional[str] = None,
        competing: Optional[str] = None,
        question: Optional[str] = None,
        answer: Optional[str] = None,
        reduce: Optional[str] = None,
        method: Optional[Literal["norm", "alti", "plain", "normalised", "attribution", "attribution_code"]] = None,
        start: Optional[int] = None,
        lens: Optional[Literal["logit", "tuned"]] = None,
        with_: Optional[Literal["needle_against_context"]] = None,
        candidates: Optional[str] = None,
        positions: Optional[str] = None,
        layer: Optional[int] = None,
        branch: Optional[Literal["single", "attention", "mamba", "mixer_1", "mixer_2", "lambda_mixer_2", "diff"]] = None,
        form: Optional[Literal["s6", "softmax", "block", "logit", "norm"]] = None,
        without: Optional[str] = None,
    ) -> bytes:
        """Numbers of a run as a file for other programs.

        Answers: The file, named by Content-Disposition

        what: Which numbers; further parameters as in the route of that name.

        format: Labels and units are inside, save NPZ, which holds arrays only.

        position: Default: the run's position.

        target: Token id of the form `logit`; default: the run's target.

        foil: Token id of the wrong answer that the logits are held against.

        needle: `start,end` in tokens; default: the run's needle.

        competing: As for `allocation`, for `needle_against_context`.

        question: The question, likewise: it is no part of the context.

        answer: Token ids of the whole answer, which is scored where there are several; default: those of the run's target, for that target.

        reduce: How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`.

        method: What is multiplied over layers: `norm` and `alti`, shares of the residual stream by token, its own included, as lengths or by nearness; and as published by Ali et al. `plain` I + mean α, `normalised` the same with every row divided by its sum, `attribution` I + (mean gradient of a logit ⊙ mean α)⁺, `attribution_code` what their code makes of it. Only `plain` and `normalised` read `reduce`.

        start: First layer that takes part.

        lens: `tuned` uses the translators in the folder `tuned-lens` of the model.

        with_: The needle against the context costs a row of every layer’s operator, so it is computed only where it is named.

        candidates: Token ids for `snr_candidates`; default: the run's candidates.

        positions: Positions, each costs as much as the next; default all.

        layer: Required for a map.

        branch: Default: the block's last branch.

        form: What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`.

        without: Parts of the form `block` that are replaced by the identity, separated by commas."""
        return self._bytes("GET", f"/api/runs/{quote(id)}/export", query={"what": what, "format": format, "model": model, "position": position, "target": target, "foil": foil, "needle": needle, "competing": competing, "question": question, "answer": answer, "reduce": reduce, "method": method, "start": start, "lens": lens, "with": with_, "candidates": candidates, "positions": positions, "layer": layer, "branch": branch, "form": form, "without": without})

    def post_analyses(
        self,
        body: AnalysisRequest,
        *,
        run: Optional[str] = None,
    ) -> AnalysisCreated:
        """Queues a causal test (patching, knock-out, ablation, overrides of λ), or allocation or SNR over a batch.

        Answers: Queued

        run: A run that keeps the result once it is finished, and takes it along when it is removed."""
        return cast("AnalysisCreated", self._json("POST", "/api/analyses", query={"run": run}, body=body))

    def get_sweeps(
        self,
    ) -> SweepList:
        """Sweeps of the database, newest first, whoever made them.

        Answers: How far each is"""
        return cast("SweepList", self._json("GET", "/api/sweeps"))

    def post_sweeps(
        self,
        body: SweepRequest,
        *,
        retry: Optional[str] = None,
    ) -> SweepStatus:
        """Makes a sweep, or goes on with it: its items are shared by this server and every `statescope worker` on the same database.

        Answers: How far it is

        retry: Tries items again that failed."""
        return cast("SweepStatus", self._json("POST", "/api/sweeps", query={"retry": retry}, body=body))

    def get_sweep(
        self,
        id: str,
    ) -> Sweep:
        """How far a sweep is, who worked on it, and once it is done what it comes to.

        Answers: State and result"""
        return cast("Sweep", self._json("GET", f"/api/sweeps/{quote(id)}"))

    def delete_sweep(
        self,
        id: str,
    ) -> SweepStatus:
        """Takes away the items that have no result; asked for again, it goes on from there.

        Answers: How far it is"""
        return cast("SweepStatus", self._json("DELETE", f"/api/sweeps/{quote(id)}"))

    def get_analysis(
        self,
        id: str,
    ) -> Analysis:
        """Whole state of an analysis, with its result so far.

        Answers: State"""
        return cast("Analysis", self._json("GET", f"/api/analyses/{quote(id)}"))

    def delete_analysis(
        self,
        id: str,
    ) -> Analysis:
        """Cancels before the next step; what is finished stays readable.

        Answers: State when the request arrived"""
        return cast("Analysis", self._json("DELETE", f"/api/analyses/{quote(id)}"))

    def get_analysis_events(
        self,
        id: str,
    ) -> Iterator[Event]:
        """Server-sent events of an analysis.

        Answers: events `analysis`, `progress`, `result`, `state`"""
        return self._events("GET", f"/api/analyses/{quote(id)}/events")

    def get_analysis_tensors(
        self,
        id: str,
    ) -> Tensors:
        """Result of an analysis that has ended.

        Answers: `patch.patched`, `patch.effect` or `knockout.without`, `knockout.change` [layers, spans] F32; `ablate.NAME` [runs]; `MODEL.LAYER.PART.MEASURE` and `MODEL.LAYER.MEASURE` of an allocation [classes], models by number; `snr.MODEL.METRIC` [entries, examples], models by number"""
        return self._tensors("GET", f"/api/analyses/{quote(id)}/tensors")

    def post_generate(
        self,
        body: GenerationRequest,
    ) -> Iterator[Event]:
        """Continues a prompt and tells every token as it comes; who closes the stream cancels before the next token.

        Answers: events `state`, `token`"""
        return self._events("POST", "/api/generate", body=body)
