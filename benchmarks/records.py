"""What was measured, and the arithmetic on it."""

import statistics
from dataclasses import asdict, dataclass, field

SECONDS = "seconds"  # begins the names of measures of Scores that are times
QUALITY = 0.10  # how far a rival's final loss may be below ours


@dataclass
class Timing:
    """Seconds of each contender in each round, of one case.

    Attributes
    ----------
    case : str
    seconds : dict of lists of float
        "ours" and the rivals, a number a round.
    per : float
        What a time is divided by to be shown, such as the number of epochs.
    losses : dict of lists of float
        Final losses, where they have to agree.
    note : str
        Which PyTorch it is: "1 thread" or "2 threads".
    """

    case: str
    seconds: dict
    per: float = 1
    losses: dict = field(default_factory=dict)
    note: str = ""

    def median(self, name):
        """Shown seconds of a contender."""
        return statistics.median(self.seconds[name]) / self.per

    def ratio(self, rival):
        """How many times as long a rival takes: median, lowest and highest of the rounds."""
        pairs = zip(self.seconds[rival], self.seconds["ours"], strict=True)
        ratios = [theirs / ours for theirs, ours in pairs]
        return statistics.median(ratios), min(ratios), max(ratios)

    @property
    def agrees(self):
        """Whether ours learned no less: no rival's median loss is more than 10 % below ours."""
        medians = {name: statistics.median(losses) for name, losses in self.losses.items()}
        ours = medians.pop("ours", None)
        return all(loss >= (1 - QUALITY) * ours for loss in medians.values())


@dataclass
class Scores:
    """How good the codes of one contender are on one set of sequences.

    Attributes
    ----------
    case, contender : str
    values : dict of lists of float
        Of each measure a number a seed; without the measures that do not apply.
    """

    case: str
    contender: str
    values: dict

    def mean(self, measure):
        """Mean over the seeds."""
        return statistics.mean(self.values[measure])


@dataclass
class Order:
    """That one contender is better than another, as somebody claims, and what was found.

    Attributes
    ----------
    claim, case : str
    gains : list of float
        How much better the one is than the other, a number a seed; negative where it is worse.
    """

    claim: str
    case: str
    gains: list

    def interval(self):
        """Mean gain, and the ends of its 95 % interval (Student's t over the seeds)."""
        from scipy.stats import t

        mean, n_seeds = statistics.mean(self.gains), len(self.gains)
        half = t.ppf(0.975, n_seeds - 1) * statistics.stdev(self.gains) / n_seeds**0.5
        return mean, mean - half, mean + half

    @property
    def outcome(self):
        """Whether the claim holds here."""
        _, lowest, highest = self.interval()
        return "holds" if lowest > 0 else "the opposite" if highest < 0 else "open"


@dataclass
class Verdict:
    """A goal, what was measured, and whether that meets it."""

    goal: str
    measured: str
    met: bool


@dataclass
class Record:
    """What one line of the table found."""

    timings: list[Timing] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    numbers: dict = field(default_factory=dict)
    scores: list[Scores] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    def to_dict(self):
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Inverse of `to_dict`."""
        return cls(
            [Timing(**timing) for timing in values["timings"]],
            [Verdict(**verdict) for verdict in values["verdicts"]],
            values["numbers"],
            [Scores(**scores) for scores in values.get("scores", [])],
            [Order(**order) for order in values.get("orders", [])],
        )


def make_timing(case, results, *, per=1, losses=True):
    """Timing of ``{name: [(seconds, result), ...]}``, the better PyTorch as "PyTorch"."""
    seconds = {name: [took for took, _ in runs] for name, runs in results.items()}
    final = {name: [loss for _, loss in runs] for name, runs in results.items()} if losses else {}
    best = better_torch(seconds)
    for values in (seconds, final):
        for name in [name for name in values if name.startswith("PyTorch")]:
            values_of = values.pop(name)
            if name == best:
                values["PyTorch"] = values_of
    return Timing(case, seconds, per, final, note=best.removeprefix("PyTorch, ") if best else "")


def better_torch(seconds):
    """Name of the fastest among the contenders "PyTorch, 1 thread", ...; None without one."""
    names = [name for name in seconds if name.startswith("PyTorch")]
    return min(names, key=lambda name: statistics.median(seconds[name]), default=None)
