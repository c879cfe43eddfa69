"""Counts series: sounds less than a second apart are one, which is heard if any event falls into it or into the second after it.

series.py TRUTH EVENTS     TRUTH: a folder of NAME.labels.txt; EVENTS: what tripword label printed
"""

import collections
import json
import math
import pathlib
import sys


def wilson(k, n):
    """95 % of a share."""
    z, p = 1.96, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [max(0.0, (middle + sign * half) / (1 + z * z / n)) for sign in (-1, 1)]


def series(spans):
    joined = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] < 1.0:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return joined


def main():
    truth, events = map(pathlib.Path, sys.argv[1:])
    heard = collections.defaultdict(list)
    for line in events.read_text().splitlines():
        event = json.loads(line)
        heard[pathlib.Path(event["file"]).stem, event["word"]].append(event["time_s"])
    spans = collections.defaultdict(list)
    for path in sorted(truth.glob("*.labels.txt")):
        for line in path.read_text().splitlines():
            start, end, word = line.split("\t")
            spans[path.name.removesuffix(".labels.txt"), word].append((float(start), float(end)))
    for word in sorted({word for _, word in [*spans, *heard]}):
        n, n_heard, n_false = 0, 0, 0
        for name in {name for name, _ in [*spans, *heard]}:
            joined = series(spans[name, word])
            times = heard[name, word]
            n += len(joined)
            n_heard += sum(any(start <= time <= end + 1 for time in times) for start, end in joined)
            n_false += sum(not any(start <= time <= end + 1 for start, end in joined) for time in times)
        low, high = wilson(n - n_heard, n) if n else (0.0, 1.0)
        print(f"{word}: {n - n_heard} of {n} series missed ({100 * low:.0f} to {100 * high:.0f} %), {n_false} events elsewhere")


if __name__ == "__main__":
    main()
