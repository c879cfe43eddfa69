"""Lays sounds of a data folder into long recordings, with the labels that a person would draw beside them.

lay.py --data DATA --out OUT SOUND=NAME:PAUSE ...     as Rooster=rooster:0.35

SOUND is part of the file names of a kind of sound in DATA/*/noise; silence shorter than PAUSE, in seconds, does not end it.

OUT/train and OUT/dev get recordings of several minutes: the sounds, other sounds, and a bed of noise under all of it; OUT/noise gets the
noises of train that are none of the sounds. Of one source (the
number in a file's name) all clips are in one recording, so that no validation hears what was learned. Sources that dev has, too, are left out of
train: clips of one source are as like as twins.
"""

import argparse
import csv
import pathlib
import random
import re
import wave

import numpy as np

RATE = 16_000
# Loudness of 20 ms windows, every 5 ms.
WINDOW, HOP = 320, 80
# Recordings of train; whole ones are held out of the training, a fifth of them.
N_TRAIN = 10
# Clips of dev are heard so often, each time at another level, in another bed.
N_DEV = 3
FORMATS = ["labels.txt", "TextGrid", "rttm", "csv"]


def read(path):
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE and file.getnchannels() == 1 and file.getsampwidth() == 2, path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def events(samples, pause_s, below_db=26.0, shortest_s=0.08):
    """Where the sound is, in samples: louder than so much below the loudest moment; shorter pauses belong to it."""
    n = max(0, (len(samples) - WINDOW) // HOP + 1)
    level = np.array([rms(samples[i * HOP : i * HOP + WINDOW]) for i in range(n)]) + 1e-9
    level_db = 20 * np.log10(level)
    floor_db = np.percentile(level_db[level_db > -90], 10) if (level_db > -90).any() else -90
    threshold = min(max(level_db.max() - below_db, floor_db + 8), level_db.max() - 9)
    spans = []
    for i in np.flatnonzero(level_db >= threshold):
        start, end = int(i * HOP), int(i * HOP + WINDOW)
        if spans and start - spans[-1][1] <= pause_s * RATE:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    return [(start, end) for start, end in spans if end - start >= shortest_s * RATE]


def source(path):
    """The recording that a clip of ESC was cut from: the second number of 1-30226-A."""
    found = re.search(r"__\d+-(\d+)-", path.name)
    return found.group(1) if found else path.stem


class Recording:
    """Grows by sounds with gaps between; then gets its bed."""

    def __init__(self, rng):
        self.rng, self.parts, self.n, self.labels, self.loudness = rng, [], 0, [], []

    def gap(self, low=0.6, high=4.0):
        self._add(np.zeros(int(self.rng.uniform(low, high) * RATE), np.float32))

    def _add(self, samples):
        self.parts.append(samples)
        self.n += len(samples)

    def sound(self, samples, spans=(), name=None):
        samples = samples.copy()
        fade = np.linspace(0, 1, 160, dtype=np.float32)
        samples[:160] *= fade
        samples[-160:] *= fade[::-1]
        gain = 10 ** (self.rng.uniform(-20, -6) / 20) / max(1e-4, float(np.abs(samples).max()))
        self.labels += [((self.n + start) / RATE, (self.n + end) / RATE, name) for start, end in spans]
        self.loudness.append(rms(samples[samples != 0]) * gain)
        self._add(samples * gain)

    def samples(self, beds, below_db):
        """With noise so far below the sounds' loudness on the mean."""
        whole = np.concatenate(self.parts)
        bed = np.zeros(0, np.float32)
        while len(bed) < len(whole):
            piece = read(self.rng.choice(beds))
            bed = np.append(bed, piece * (0.05 / max(1e-4, rms(piece))))
        bed = bed[: len(whole)]
        return whole + bed * (np.median(self.loudness) * 10 ** (-self.rng.uniform(*below_db) / 20) / rms(bed))


def write_labels(stem, labels, kind):
    """In one of four formats: each is read by train --labels."""
    labels = sorted(labels)
    path = stem.with_name(f"{stem.name}.{kind}")
    if kind == "labels.txt":
        path.write_text("".join(f"{start:.6f}\t{end:.6f}\t{name}\n" for start, end, name in labels))
    elif kind == "rttm":
        line = "SPEAKER {} 1 {:.6f} {:.6f} <NA> <NA> {} <NA> <NA>\n"
        path.write_text("".join(line.format(stem.name, start, end - start, name) for start, end, name in labels))
    elif kind == "csv":
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["start_s", "end_s", "word"])
            rows.writerows([f"{start:.6f}", f"{end:.6f}", name] for start, end, name in labels)
    else:
        last = max([end for _, end, _ in labels], default=1.0)
        text = [f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n{last:.6f}\n<exists>\n']
        names = sorted({name for *_, name in labels})
        text.append(f"{len(names)}\n")
        for name in names:
            own = [(start, end) for start, end, other in labels if other == name]
            tiles, at = [], 0.0
            for start, end in own:
                tiles += [(at, start, "")] * (start > at) + [(start, end, name)]
                at = end
            tiles += [(at, last, "")] * (last > at)
            text.append(f'"IntervalTier"\n"{name}"\n0\n{last:.6f}\n{len(tiles)}\n')
            text += [f'{start:.6f}\n{end:.6f}\n"{words}"\n' for start, end, words in tiles]
        path.write_text("".join(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("sounds", nargs="+", metavar="SOUND=NAME:PAUSE")
    args = parser.parse_args()
    kinds, pause_s = {}, {}
    for sound in args.sounds:
        part, name, pause = re.fullmatch("(.+)=(.+):(.+)", sound).groups()
        kinds[part], pause_s[name] = name, float(pause)
    rng = random.Random(1)

    def kind(path):
        return next((name for part, name in kinds.items() if part in path.name), None)

    clips = {side: sorted((args.data / side / "noise").rglob("*.wav")) for side in ["train", "dev"]}
    of_dev = {source(path) for path in clips["dev"] if "__" in path.name}
    twins = [path for path in clips["train"] if "__" in path.name and source(path) in of_dev]
    clips["train"] = [path for path in clips["train"] if path not in twins]
    print(f"{len(twins)} clips of train are of sources that dev has, too: left out, {sum(map(bool, map(kind, twins)))} of them of the sounds")
    (args.out / "noise").mkdir(parents=True, exist_ok=True)
    for path in clips["train"]:
        link = args.out / "noise" / path.name
        if not kind(path) and not link.exists():
            link.symlink_to(path.resolve())
    for side in ["train", "dev"]:
        folder = args.out / side
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [path for path in clips[side] if kind(path)]
        others = [path for path in clips[side] if not kind(path)]
        for name in kinds.values():
            own = [path for path in wanted if kind(path) == name]
            spans = [span for path in own for span in events(read(path), pause_s[name])]
            lengths = np.array([end - start for start, end in spans]) / RATE
            sources = len({source(path) for path in own})
            print(
                f"{side} {name}: {len(own)} clips of {sources} sources, {len(spans)} sounds of "
                f"{np.percentile(lengths, 5):.2f} to {np.percentile(lengths, 95):.2f} s, median {np.median(lengths):.2f} s"
            )
        if side == "train":
            sources = sorted({source(path) for path in wanted})
            rng.shuffle(sources)
            groups = [[path for path in wanted if sources.index(source(path)) % N_TRAIN == i] for i in range(N_TRAIN)]
            rng.shuffle(others)
            fillers = [others[i::N_TRAIN] for i in range(N_TRAIN)]
            beds = [[path for path in filler if len(read(path)) > RATE] for filler in fillers]
            below_db = [(6, 40)] * N_TRAIN
        else:
            groups, fillers, beds = [wanted] * N_DEV, [others] * N_DEV, [others] * N_DEV
            below_db = [(39, 40), (19, 20), (9, 10)]
        for i, (group, filler) in enumerate(zip(groups, fillers)):
            recording = Recording(rng)
            # Each sound of train is heard twice, at different levels.
            queue = [(path, True) for path in group] * (2 if side == "train" else 1) + [(path, False) for path in filler]
            rng.shuffle(queue)
            for path, is_wanted in queue:
                samples = read(path)
                if len(samples) < 1600 or np.abs(samples).max() < 1e-3:
                    continue
                recording.gap()
                recording.sound(samples, events(samples, pause_s[kind(path)]) if is_wanted else (), kind(path))
            recording.gap()
            stem = folder / f"{side}-{i:02}"
            mixed = recording.samples(beds[i], below_db[i])
            write(stem.with_suffix(".wav"), mixed * min(1.0, 0.99 / float(np.abs(mixed).max())))
            # eval reads those of Audacity only.
            write_labels(stem, recording.labels, FORMATS[i % len(FORMATS)] if side == "train" else FORMATS[0])
    # Hours of speech without any of the sounds: an empty file of labels says so.
    folder = args.out / "dev"
    speech = sorted((args.data / "dev" / "negative").rglob("*.wav"))
    rng.shuffle(speech)
    recording, n_written = Recording(rng), 0
    for i, path in enumerate(speech):
        samples = read(path)
        if np.abs(samples).max() < 1e-3 or len(samples) < 1600:
            continue
        recording.gap(0.3, 1.5)
        recording.sound(samples)
        if recording.n > 1200 * RATE or i + 1 == len(speech):
            stem = folder / f"speech-{n_written:02}"
            mixed = recording.samples([path for path in clips["dev"] if not kind(path) and len(read(path)) > RATE], (15, 50))
            write(stem.with_suffix(".wav"), mixed * min(1.0, 0.99 / float(np.abs(mixed).max())))
            write_labels(stem, [], "labels.txt")
            recording, n_written = Recording(rng), n_written + 1


if __name__ == "__main__":
    main()
