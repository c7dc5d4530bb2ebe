"""Epochs of checkpoints from their names, by named patterns; ambiguous names give no epoch."""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from infoplane.errors import InputError

EPOCH, STEP, BARE = "epoch", "step", "number"
"""Kinds of numbers in a name: after a word for epochs, after a word for updates, after neither."""

LARGEST_EPOCH = 10**9
"""A larger number in a name, for example a time stamp, is not an epoch."""


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall("[a-z0-9]+", text))


_EPOCH_WORDS = frozenset({"epoch", "epochs", "ep"})
_STEP_WORDS = frozenset({"step", "steps", "iter", "iters", "iteration", "iterations", "it", "its", "update", "updates"})
_EPOCH_ENDS = ("epoch", "epochs")
_STEP_ENDS = ("step", "steps", "iter", "iters", "iteration", "iterations")

_SETTINGS = _words(
    "lr wd bs batch batchsize seed fold rank gpu layer layers depth width hidden dim dims head heads size k n v ver "
    "version run trial exp part shard of rev top beam dropout alpha beta gamma lambda temp momentum jan feb mar apr "
    "may jun jul aug sep oct nov dec loss losses acc accuracy val valid validation train test error err f1 auc map "
    "iou miou dice ppl perplexity bleu rouge score metric mse mae rmse nll elbo fid psnr ssim bits prec recall"
)
"""Words before a number that is a setting, a metric or a date, not an epoch."""

_SETTING_ENDS = ("loss", "acc", "accuracy", "score", "error")

_MODEL_NAMES = tuple(
    _words(
        "resnet resnext densenet mobilenet efficientnet unet lenet alexnet googlenet shufflenet squeezenet regnet "
        "convnext inception wrn vgg vit deit swin bert roberta gpt llama opt mlp cnn rnn lstm gru yolo bart "
        "cifar mnist imagenet modelnet coco voc"
    )
)
"""Names of models and datasets that carry a number of their own, as in ``resnet18``, ``gpt2`` and ``cifar10``."""

_COPIES = _words("last latest best final newest current swa ema avg average averaged")
_FINAL = ("model", "pytorch_model")
_CONTAINERS = _words(
    "model models checkpoint checkpoints ckpt chkpt weight weights state dict net network so far v pytorch params"
)

_TOKEN = re.compile(
    r"(?P<version>[0-9]+(?:\.[0-9]+){2,})"
    r"|(?P<real>[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
    r"|(?P<whole>[0-9]+)"
    r"|(?P<word>[^\W\d_]+)"
)
_WHOLE = re.compile(r"(?P<whole>[0-9]+)")

_DAY = r"(?:19|20)[0-9]{2}([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3])[-_:.h]?[0-5][0-9](?:[-_:.m]?[0-5][0-9])?"
_DATES = re.compile(
    rf"(?<![0-9])(?:{_DAY}(?:[-_T. ]?{_TIME})?"
    r"|[0-9]{1,2}([-_.])[0-9]{1,2}\2(?:19|20)[0-9]{2}"
    r"|(?:[01][0-9]|2[0-3])[-:][0-5][0-9][-:][0-5][0-9]"
    r"|1[0-9]{9}(?:[0-9]{3})?)(?![0-9])"
)
"""Dates with or without a time, times of day, and seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class Number:
    """A number in a name that may be an epoch.

    Attributes:
        kind: `EPOCH`, `STEP` or `BARE`.
        label: the word before it and whether the word touches it; equal labels of several names belong together.
        text: as it is written.
        value: None if it is not a whole number.
    """

    kind: str
    label: tuple[str, bool, int]
    text: str
    value: int | None


@dataclasses.dataclass(frozen=True)
class Stated:
    """The epochs that names state.

    Attributes:
        epochs: by name; copies such as ``last.ckpt`` have none and are absent.
        kind: which number of the names it is: `EPOCH`, `STEP` or `BARE`.
        also_step: whether every name also states a step, which is not used.
        copies: names that are left out as copies.
    """

    epochs: Mapping[str, int]
    kind: str
    also_step: bool = False
    copies: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """Which number of the names is the epoch."""
        source = {EPOCH: "the epoch", STEP: "the step, counted in updates,", BARE: "the number"}[self.kind]
        other = "; the names also state steps: pass epochs='step' to use the steps" if self.also_step else ""
        left_out = f"; left out as copies of others: {listed(self.copies)}" if self.copies else ""
        return f"{source} in the checkpoints' names{other}{left_out}"


def numbers_in(stem: str, is_folder: bool = False) -> list[Number]:
    """Return the numbers of a name that may be its epoch.

    Settings (``lr0.01``, ``seed_3``), metrics (``loss_0.53``, ``acc90``), dates, versions and names of models
    (``resnet18``) are no such numbers.

    Args:
        stem: the name without its ending.
        is_folder: a folder ``checkpoint-500``, as Hugging Face writes it, states a step.
    """
    tokens = [*_tokens(_without_dates(stem))]
    found: list[Number] = []
    for place, token in enumerate(tokens):
        if token.lastgroup == "word":
            continue
        kind, word, is_attached = _kind_of(tokens, place)
        if is_folder and re.fullmatch(r"checkpoint-[0-9]+", stem):
            kind = STEP
        if not kind or (kind == BARE and token.lastgroup != "whole"):
            continue
        count = sum(number.label[:2] == (word, is_attached) for number in found)
        whole = token.lastgroup == "whole" and not _has_suffix(tokens, place)
        found.append(Number(kind, (word, is_attached, count), token[0], int(token[0]) if whole else None))
    return found


def _tokens(stem: str) -> Iterator[re.Match[str]]:
    """Yield the words and numbers of a name; a number of a model's name ends before a point: ``resnet18.5``."""
    start, before = 0, None
    while token := _TOKEN.search(stem, start):
        touches = before is not None and before.end() == token.start()
        if touches and token.lastgroup != "word" and before and before[0].lower().endswith(_MODEL_NAMES):
            token = _WHOLE.match(stem, token.start())
            assert token is not None
        yield token
        start, before = token.end(), token


def _without_dates(stem: str) -> str:
    def mask(match: re.Match[str]) -> str:
        before = re.search(r"([^\W\d_]+)[-_=. ]?$", stem[: match.start()])
        is_named = before is not None and _kind_of_word(before[1].lower(), True) in (EPOCH, STEP)
        return match[0] if is_named else "~"

    return _DATES.sub(mask, stem)


def _kind_of(tokens: Sequence[re.Match[str]], place: int) -> tuple[str, str, bool]:
    """Return the kind of a number, the word before it, and whether the word touches it; no kind for a setting."""
    token = tokens[place]
    before = tokens[place - 1] if place and tokens[place - 1].lastgroup == "word" else None
    word = before[0].lower() if before else ""
    touches = before is not None and before.end() == token.start()
    kind = _kind_of_word(word, touches) if before else BARE
    after = tokens[place + 1] if place + 1 < len(tokens) and tokens[place + 1].lastgroup == "word" else None
    if kind != BARE or after is None:
        return kind, word, touches
    unit = _kind_of_word(after[0].lower(), False)
    is_free = place + 2 >= len(tokens) or tokens[place + 2].lastgroup == "word"
    if unit in (EPOCH, STEP) and is_free and len(after[0]) > 1:  # "10epochs"
        return unit, after[0].lower(), False
    return ("" if _has_suffix(tokens, place) else BARE), word, touches


def _kind_of_word(word: str, touches: bool) -> str:
    if word in _EPOCH_WORDS or word.endswith(_EPOCH_ENDS) or (word == "e" and touches):
        return EPOCH
    if word in _STEP_WORDS or word.endswith(_STEP_ENDS):
        return STEP
    if word in _SETTINGS or word.endswith(_SETTING_ENDS):
        return ""
    if touches and (len(word) == 1 or word.endswith(_MODEL_NAMES)):
        return ""
    return BARE


def _has_suffix(tokens: Sequence[re.Match[str]], place: int) -> bool:
    """Return whether letters follow a number at once, as in ``10k`` and ``7b``; not a unit as in ``10epochs``."""
    if place + 1 >= len(tokens) or tokens[place + 1].start() != tokens[place].end():
        return False
    return _kind_of_word(tokens[place + 1][0].lower(), False) not in (EPOCH, STEP)


def is_copy(stem: str, among_folders: bool = False) -> bool:
    """Return whether a name marks a copy of another checkpoint.

    Such are ``last`` and ``model_best``, and ``model`` next to the folders of Hugging Face.
    """
    if among_folders and stem in _FINAL:
        return True
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", stem)]
    return bool(_COPIES.intersection(words)) and _COPIES.union(_CONTAINERS).issuperset(words)


def read_epochs(stems: Mapping[str, str], folders: Collection[str], where: str, use: str | None = None) -> Stated:
    """Return the epoch of each checkpoint from its name.

    Args:
        stems: the names without their endings, by name.
        folders: those of the names that are folders.
        where: what holds them, for errors.
        use: `EPOCH` or `STEP`, if the user has chosen between them.

    Raises:
        InputError: for names that state no epoch, or more than one; names them.
    """
    every = {name: numbers_in(stem, name in folders) for name, stem in stems.items()}
    copies = [name for name, stem in stems.items() if is_copy(stem, bool(folders)) and not every[name]]
    numbers = {name: found for name, found in every.items() if name not in copies} or every
    kinds = {number.kind for found in numbers.values() for number in found}
    kind = use or next((kind for kind in (EPOCH, STEP, BARE) if kind in kinds), EPOCH)
    candidates = {name: _candidates(name, numbers, kind) for name in numbers}
    none = [name for name, found in candidates.items() if not found]
    if none:
        wanted = STEP if kind == STEP else EPOCH
        raise InputError(f"{where}: the names of some checkpoints state no {wanted}: {listed(none)}. {advice(none)}")
    _refuse_several(candidates, where)
    chosen = {name: found[0] for name, found in candidates.items()}
    labels = {number.label for number in chosen.values()}
    if kind == BARE and len(labels) > 1:
        unlike = [next(name for name, number in chosen.items() if number.label == label) for label in sorted(labels)]
        raise InputError(
            f"{where}: the names differ in more than their number: {listed(unlike)}, so that the numbers need not be "
            f"epochs of one training. {advice(unlike)}"
        )
    also = kind == EPOCH and all(_of_kinds(found, (STEP,)) for found in numbers.values())
    epochs = {name: _value(name, number, where) for name, number in chosen.items()}
    return Stated(epochs, kind, also, [name for name in copies if name not in epochs])


def _of_kinds(numbers: Sequence[Number], kinds: Sequence[str]) -> list[Number]:
    return [number for number in numbers if number.kind in kinds]


def _candidates(name: str, numbers: Mapping[str, Sequence[Number]], kind: str) -> list[Number]:
    """Return the numbers of a kind that may be the epoch of a name.

    A number that all names share is a setting, if the name has another; a number that touches its word gives way to
    one that does not.
    """
    found = _of_kinds(numbers[name], (kind,))
    varying = [number for number in found if not _is_shared(number, numbers)]
    found = varying or found[:1]
    if kind == BARE:
        found = [number for number in found if not number.label[1]] or found
    return list({number.text: number for number in found}.values())


def _is_shared(number: Number, numbers: Mapping[str, Sequence[Number]]) -> bool:
    texts = [[n.text for n in found if n.label == number.label] for found in numbers.values()]
    return len(numbers) > 1 and all(text == [number.text] for text in texts)


def _refuse_several(candidates: Mapping[str, Sequence[Number]], where: str) -> None:
    for name, found in candidates.items():
        if len(found) > 1:
            texts = " and ".join(number.text for number in found)
            raise InputError(f"{where}: the name {name!r} is ambiguous: its epoch may be {texts}. {advice([name])}")


def _value(name: str, number: Number, where: str) -> int:
    if number.value is None or number.value > LARGEST_EPOCH:
        expected = f"a whole number of at most {LARGEST_EPOCH:,}".replace(",", " ")
        raise InputError(
            f"{where}: the name {name!r}: expected {expected} as epoch, got {number.text}. {advice([name])}"
        )
    return number.value


def advice(names: Sequence[str]) -> str:
    """Return the sentence that names the ways to state the epochs."""
    return (
        f"Pass epochs={{{names[0]!r}: EPOCH, …}} (None leaves a file out), or pattern= with a regular expression such "
        r"as 'epoch-(\d+)', which leaves out the other files (on the command line --epochs NAME=EPOCH, --pattern REGEX)"
    )


def listed(names: Sequence[str]) -> str:
    """List the first ten names and count the remaining ones."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(repr(name) for name in names[:10]) + more
