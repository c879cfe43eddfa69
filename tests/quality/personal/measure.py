"""Adapts a model to words it has never heard, case by case, and counts what it misses at half a false accept an hour."""

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from cases import Case, of_word

CONDITIONS = ["clean", "noisy, 10 dB"]


def wilson(missed: int, spoken: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z = 1.959964
    share = missed / spoken
    centre = share + z * z / (2 * spoken)
    spread = z * math.sqrt(share * (1 - share) / spoken + z * z / (4 * spoken * spoken))
    scale = 1 + z * z / spoken
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def folder(place: Path, word: str, clips: list[Path], beside: Path | None) -> Path:
    """A folder of links to clips, with the other speech and the noise of `beside`."""
    shutil.rmtree(place, ignore_errors=True)
    positives = place / "positive" / word
    positives.mkdir(parents=True)
    for clip in clips:
        (positives / clip.name).symlink_to(clip)
    if beside:
        for kind in ("negative", "noise"):
            (place / kind).symlink_to(beside / kind)
    return place


def measure(args: argparse.Namespace, word: str, case: Case) -> dict:
    place = args.work / f"{word}-{case.kind}-{case.name}".replace(" ", "-")
    clips = folder(place / "clips", word, case.train, None)
    model = place / "model"
    shutil.rmtree(model, ignore_errors=True)
    began = time.monotonic()
    train = [args.tripword, "train", clips, "--from", args.base, "--out", model, "--no-learning-curve"]
    train += ["--negatives", args.data / "train/negative", "--noise", args.data / "train/noise", *args.set]
    subprocess.run(train, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    minutes = (time.monotonic() - began) / 60
    streams = folder(place / "test", word, [clip for test in case.tests.values() for clip in test], args.data / "dev")
    report = place / "report.json"
    command = [args.tripword, "eval", streams, "--model", model, "--target-fa-per-hour", "0.5", "--report", report]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    missed = json.loads(report.read_text())["words"][0]["misses"]
    found = {}
    for relation, test in case.tests.items():
        names = {clip.name for clip in test}
        counts = [sum(m["condition"] == c and Path(m["file"]).name in names for m in missed) for c in CONDITIONS]
        found[relation] = [[count, len(test)] for count in counts]
        print(word, case.kind, case.name, relation, found[relation], f"{minutes:.1f} min", file=sys.stderr)
    return {"minutes": minutes, "found": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train, dev and manifest.tsv")
    parser.add_argument("--base", required=True, help="model that has never heard the words")
    parser.add_argument("--tripword", default="tripword", help="program")
    parser.add_argument("--work", type=Path, default=Path("target/quality/personal"), help="folder for models")
    parser.add_argument("--words", default="jarvis,view_glass,athena,amelia")
    parser.add_argument("--kinds", default="", help="only cases whose kind contains this")
    parser.add_argument("--set", action="append", default=[], help="configuration of the training")
    args = parser.parse_args()
    args.data = args.data.absolute()
    args.work = args.work.absolute()
    args.set = [part for value in args.set for part in ("--set", value)]
    print("| word | clips | tested on | missed, clean | missed, noise at 10 dB | adaptation |")
    print("|---|---|---|---|---|---|")
    for word in args.words.split(","):
        totals: dict = defaultdict(lambda: [[0, 0] for _ in CONDITIONS])
        minutes = defaultdict(list)
        for case in of_word(args.data, word):
            if args.kinds not in case.kind:
                continue
            result = measure(args, word, case)
            minutes[case.kind].append(result["minutes"])
            for relation, counts in result["found"].items():
                for total, count in zip(totals[case.kind, relation], counts):
                    total[0] += count[0]
                    total[1] += count[1]
        for (kind, relation), counts in totals.items():
            cells = []
            for missed, spoken in counts:
                low, high = wilson(missed, spoken)
                cells.append(f"{missed}/{spoken}, {100 * missed / spoken:.0f} % ({100 * low:.0f} to {100 * high:.0f})")
            mean = sum(minutes[kind]) / len(minutes[kind])
            print(f"| {word} | {kind} | {relation} | {' | '.join(cells)} | {mean:.1f} min |", flush=True)


if __name__ == "__main__":
    main()
