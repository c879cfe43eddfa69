"""The cases of the measurement: which clips a model is adapted to, and which it is tested on."""

import array
import csv
import random
import wave
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Case:
    """One adaptation."""

    kind: str
    name: str
    train: list[Path]
    # What they are to the clips that were learned from, and the clips.
    tests: dict[str, list[Path]]


def of_speakers(data: Path, word: str) -> list[Case]:
    """Words whose speakers are known: one voice, households, strangers. Those of dev have 10 takes each."""
    with open(data / "manifest.tsv", newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["kind"] == "positive" and r["word"] == word]
    draw = random.Random(1)

    def takes(split: str) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for row in rows:
            if row["split"] == split:
                found.setdefault(row["speaker"], []).append(data / row["path"])
        return {speaker: sorted(found[speaker]) for speaker in sorted(found)}

    dev = takes("dev")
    for clips in dev.values():
        draw.shuffle(clips)
    names = list(dev)
    cases = []
    for name in names:
        others = [clip for other in names if other != name for clip in dev[other]]
        cases.append(Case("5 of one voice", name, dev[name][:5], {"same voice": dev[name][5:], "others": others}))
    for i in range(len(names) // 2):
        guests = names[2 * i : 2 * i + 2]
        home = [name for name in names if name not in guests]
        train = [clip for name in home for clip in dev[name][:5]]
        tests = {
            "same voices": [clip for name in home for clip in dev[name][5:]],
            "others": [clip for name in guests for clip in dev[name]],
        }
        cases.append(Case("20 of four voices", f"home-{i}", train, tests))
    train_takes = takes("train")
    strangers = sorted(train_takes)
    draw.shuffle(strangers)
    everybody = [clip for name in names for clip in dev[name]]
    train = [clip for name in strangers[:10] for clip in train_takes[name][:5]]
    cases.append(Case("50 of ten voices", "crowd", train, {"others": everybody}))
    return cases


def of_anybody(data: Path, word: str) -> list[Case]:
    """Words whose speakers nobody knows: 60 random clips test, others are learned from. Near-silent ones are left out."""

    def is_loud(path: Path) -> bool:
        samples = array.array("h")
        with wave.open(str(path)) as file:
            samples.frombytes(file.readframes(file.getnframes()))
        return max(map(abs, samples), default=0) > 1000

    clips = [path for path in sorted((data / "train" / "positive" / word).glob("*.wav")) if is_loud(path)]
    random.Random(1).shuffle(clips)
    test, rest = clips[:60], clips[60:140]
    return [Case(f"{n} of anybody", "", rest[:n], {"anybody": test}) for n in (5, 10, 20, 50)]


def of_word(data: Path, word: str) -> list[Case]:
    return of_anybody(data, word) if word in ("athena", "amelia") else of_speakers(data, word)
