"""Hits, misses and false accepts by the rules of `tripword eval` (src/eval/matching.rs), and what follows from them.

Times are samples at 16 kHz. That the two countings agree is shown on tripword's own events each time compare.py runs.
"""

from dataclasses import dataclass, field

RATE_HZ = 16_000
HIT_AFTER_END = RATE_HZ
IGNORED_AFTER_HIT = 2 * RATE_HZ
# After an event, none for this long: tripword's own refractory period, given to every engine.
REFRACTORY = RATE_HZ


@dataclass
class Stream:
    """One file of `tripword eval --streams`."""

    file: str
    condition: str
    role: str
    hours: float  # in which events are false
    truths: list  # (start, end, word)


@dataclass
class Outcome:
    n_spoken: int = 0
    n_missed: int = 0
    n_false: int = 0
    n_confusions: int = 0
    hours: float = 0.0
    latencies_ms: list = field(default_factory=list)

    def median_latency_ms(self):
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) // 2, len(ordered) - 1)] if ordered else None


def add_matches(outcome, decisions, word, truths):
    """Counts the decisions on `word` in one stream, in the order of time."""

    def covers(truth, decision):
        return truth[0] <= decision <= truth[1] + HIT_AFTER_END

    own = [truth for truth in truths if truth[2] == word]
    others = [truth for truth in truths if truth[2] != word]
    is_hit = [False] * len(own)
    last_hit = None
    for decision in decisions:
        hit = next((i for i, truth in enumerate(own) if not is_hit[i] and covers(truth, decision)), None)
        if hit is not None:
            is_hit[hit] = True
            last_hit = decision
            # Rounded towards zero.
            outcome.latencies_ms.append(int((decision - own[hit][1]) * 1000 / RATE_HZ))
        elif last_hit is None or decision > last_hit + IGNORED_AFTER_HIT:
            if any(covers(truth, decision) for truth in others):
                outcome.n_confusions += 1
            else:
                outcome.n_false += 1
    outcome.n_spoken += len(own)
    outcome.n_missed += is_hit.count(False)


def count(streams, events_of, word):
    """The outcome by condition; `events_of` gives the decisions in a file."""
    outcomes = {}
    for stream in streams:
        outcome = outcomes.setdefault(stream.condition, Outcome())
        outcome.hours += stream.hours
        add_matches(outcome, events_of(stream.file), word, stream.truths)
    return outcomes


def false_accepts(outcomes):
    """How many in how many hours, all conditions together."""
    return sum(outcome.n_false for outcome in outcomes.values()), sum(outcome.hours for outcome in outcomes.values())


def held(decisions):
    """Decisions without those that another engine's refractory period would have swallowed."""
    kept = []
    for decision in decisions:
        if not kept or decision >= kept[-1] + REFRACTORY:
            kept.append(decision)
    return kept


def crossings(scores, threshold, step):
    """Where scores, (sample, score) every `step` samples and left out where they are low, reach the threshold."""
    decisions, armed, last, quiet_until = [], True, None, 0
    for sample, score in scores:
        armed = armed or score < threshold or sample - last > step
        if armed and score >= threshold and sample >= quiet_until:
            decisions.append(sample)
            armed, quiet_until = False, sample + REFRACTORY
        last = sample
    return decisions


class Search:
    """Bisection for the loosest of `settings`, strictest first, that is still good."""

    def __init__(self, settings):
        self.settings, self.good, self.bad = settings, -1, len(settings)

    def next(self):
        """The setting to try, None when all is known."""
        return self.settings[(self.good + self.bad) // 2] if self.bad - self.good > 1 else None

    def tell(self, is_good):
        middle = (self.good + self.bad) // 2
        self.good, self.bad = (middle, self.bad) if is_good else (self.good, middle)

    def found(self):
        """The loosest setting known to be good, or where none is, the strictest that was tried; and the strictest that is not good, if any."""
        if self.good < 0:
            return self.settings[self.bad], None
        return self.settings[self.good], self.settings[self.bad] if self.bad < len(self.settings) else None


def wilson_interval(n_successes, n_trials):
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    if n_trials == 0:
        return 0.0, 1.0
    z, share = 1.959963984540054, n_successes / n_trials
    centre = share + z * z / (2 * n_trials)
    spread = z * (share * (1 - share) / n_trials + z * z / (4 * n_trials * n_trials)) ** 0.5
    scale = 1 + z * z / n_trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def self_test():
    second = RATE_HZ
    truths = [(10, 11, "a"), (20, 21, "a"), (30, 31, "a"), (40, 41, "b")]
    truths = [(start * second, end * second, word) for start, end, word in truths]
    outcome = Outcome()
    # False; hit; repeat, ignored; hit before the word's end; too late for the third word, so false; in another word.
    add_matches(outcome, [at * second for at in (5, 11, 13, 20, 33, 42)], "a", truths)
    assert (outcome.n_spoken, outcome.n_missed, outcome.n_false, outcome.n_confusions) == (3, 1, 2, 1), outcome
    assert outcome.latencies_ms == [0, -1000] and outcome.median_latency_ms() == 0
    for decision, n_missed in ((12 * second, 0), (12 * second + 1, 1), (10 * second - 1, 1)):
        outcome = Outcome()
        add_matches(outcome, [decision], "a", truths[:1])
        assert outcome.n_missed == n_missed and outcome.n_false == n_missed, decision
    outcome = Outcome()
    add_matches(outcome, [11 * second + 1], "a", [(10 * second, 11 * second, "a"), (11 * second, 12 * second, "a")])
    assert outcome.n_missed == 1, "one event hits one word only"

    assert held([0, 10, second, second + 1, 2 * second]) == [0, second, 2 * second]
    step = 480
    peaks = [(0, 0.9), (step, 0.9), (20 * step, 0.9), (40 * step, 0.9), (41 * step, 0.3), (42 * step, 0.9)]
    # The second is held, the third within the refractory period, the fourth new, the last within its period.
    assert crossings(peaks, 0.5, step) == [0, 40 * step]
    assert crossings(peaks, 0.95, step) == []
    assert crossings([(i * step, 0.9) for i in range(100)], 0.5, step) == [0], "a score that stays high is one event"

    for n_good in range(6):
        search = Search(list(range(5)))
        while (setting := search.next()) is not None:
            search.tell(setting < n_good)
        assert search.found() == ((0, None) if n_good == 0 else (n_good - 1, n_good if n_good < 5 else None)), n_good
    # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    for (n, of), expected in {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}.items():
        assert all(abs(found - known) < 5e-5 for found, known in zip(wilson_interval(n, of), expected)), (n, of)
    print("counting: all as expected")
