"""Measures tripword and other engines on the streams of `tripword eval` and prints the table; started by tests/quality/compare.

What an engine heard is kept in --work, so that a run with another --model of the same words only measures tripword. After new recordings
or another release of an engine, delete that folder.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import counting
import engines

ROOT = Path(__file__).resolve().parents[2]
TRIPWORD = ROOT / "target/release/tripword"
# From strict to loose, as everywhere here.
SENSITIVITIES = [i / 20 for i in range(21)]


def progress(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def tripword(*arguments):
    command = ["nice", "-n", "10", str(TRIPWORD), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure_tripword(arguments, folder):
    """The report of `tripword eval`."""
    report = folder / "report.json"
    progress(f"tripword eval {arguments.data} --model {arguments.model}")
    target = ["--target-fa-per-hour", arguments.target]
    tripword("eval", arguments.data, "--model", arguments.model, *target, "--report", report)
    return json.loads(report.read_text())


def write_streams(arguments, words, folder):
    """The streams that hold these words in this order, which decides what lies where; written unless they are there."""
    place = f"{Path(arguments.data).resolve()} {words}"
    streams = folder / f"streams-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    if not streams.exists():
        progress(f"writing the streams into {streams}")
        tripword("eval", arguments.data, "--model", arguments.model, "--json", "--streams", streams)
    return streams


def read_streams(folder):
    streams = []
    for entry in json.loads((folder / "streams.json").read_text())["streams"]:
        # Events in pieces of words are told apart from false accepts.
        if entry["role"] != "pieces of words":
            lines = (folder / entry["file"]).with_suffix(".txt").read_text().splitlines()
            truths = []
            for start_s, end_s, word in (line.split("\t") for line in lines):
                truths.append((*(round(float(at_s) * counting.RATE_HZ) for at_s in (start_s, end_s)), word))
            hours = entry["negative_s"] / 3600
            streams.append(counting.Stream(entry["file"], entry["condition"], entry["role"], hours, truths))
    return streams


def compare_countings(report, streams, folder, model):
    """Tripword's own events in the files, counted here, against the report: what differs, row by row."""
    point_of = {word["word"]: word["points"][-1] for word in report["words"]}
    settings = []
    for word, point in point_of.items():
        settings += ["--set", f'trigger.words."{word}".threshold={point["threshold"]!r}']
    lines = tripword("label", "--json", "--model", model, *settings, *(folder / stream.file for stream in streams))
    events = {}
    for event in map(json.loads, lines.splitlines()):
        file = str(Path(event["file"]).relative_to(folder))
        events.setdefault((event["word"], file), []).append(event["time_sample"])
    n_rows, differences = 0, []
    for word, point in point_of.items():
        outcomes = counting.count(streams, lambda file: events.get((word, file), []), word)
        for row in point["conditions"]:
            found = outcomes[row["condition"]]
            ours = (row["misses"]["n_spoken"], row["misses"]["n_missed"], row["false_accepts"]["n_false_accepts"])
            ours += (row["n_confusions"], row["median_latency_ms"])
            theirs = (found.n_spoken, found.n_missed, found.n_false, found.n_confusions, found.median_latency_ms())
            n_rows += 1
            if ours != theirs or abs(found.hours - row["false_accepts"]["hours"]) > 1e-6:
                differences.append(f"{word}, {row['condition']}: eval {ours}, counted here {theirs}")
    return n_rows, differences


class Peer:
    """Runs an engine over all streams and keeps what it heard."""

    def __init__(self, streams, folder, jobs):
        self.streams, self.folder, self.jobs = streams, folder, jobs
        self.kept = folder.with_name(folder.name.replace("streams", "heard"))
        self.kept.mkdir(exist_ok=True)

    def file(self, name):
        return self.kept / f"{name}.json"

    def run(self, engine, argument, what):
        """{file: what the engine made of it}. An interrupted run goes on where it was."""
        name = hashlib.sha256(f"{engine.__name__} {argument}".encode()).hexdigest()[:16]
        log = self.kept / f"{name}.jsonl"
        heard = dict(json.loads(line) for line in log.read_text().splitlines()) if log.exists() else {}
        files = [stream.file for stream in self.streams if stream.file not in heard]
        jobs = [(str(self.folder / file), argument) for file in files]
        with multiprocessing.Pool(self.jobs, engines.be_nice) as pool, log.open("a") as lines:
            for i, (file, result) in enumerate(zip(files, pool.imap(engine, jobs))):
                heard[file] = result
                print(json.dumps([file, result]), file=lines, flush=True)
                if i % 10 == 0:
                    progress(f"{what}, stream {i + 1} of {len(jobs)}")
        return heard

    def keep(self, name, heard):
        part = self.file(f"{name}.part")
        part.write_text(json.dumps(heard))
        part.rename(self.file(name))

    def outcomes(self, word, events):
        return counting.count(self.streams, lambda file: counting.held(events[file]), word)


def is_good(outcomes, target):
    n_false, hours = counting.false_accepts(outcomes)
    return n_false <= target * hours


def porcupine(peer, words, target, n_passes):
    """{word: (sensitivity, outcomes, (next sensitivity, its outcomes))}: the words are sought together, since one engine hears them all."""

    def name(word, sensitivity):
        return f"porcupine-{word}-{sensitivity:.2f}"

    def outcomes(word, sensitivity):
        return peer.outcomes(word, json.loads(peer.file(name(word, sensitivity)).read_text()))

    searches = {word: counting.Search(SENSITIVITIES) for word in words}
    for _ in range(n_passes):
        asked = {word: search.next() for word, search in searches.items() if search.next() is not None}
        new = {word: sensitivity for word, sensitivity in asked.items() if not peer.file(name(word, sensitivity)).exists()}
        if new:
            text = ", ".join(f"{word} {sensitivity}" for word, sensitivity in new.items())
            heard = peer.run(engines.porcupine, new, f"Porcupine at {text}")
            for word, sensitivity in new.items():
                peer.keep(name(word, sensitivity), {file: events[word] for file, events in heard.items()})
        for word, sensitivity in asked.items():
            searches[word].tell(is_good(outcomes(word, sensitivity), target))
    results = {}
    for word, search in searches.items():
        sensitivity, looser = search.found()
        results[word] = (
            f"sensitivity {sensitivity:.2f}",
            outcomes(word, sensitivity),
            (f"{looser:.2f}", outcomes(word, looser)) if looser is not None else None,
        )
    return results


def micro_wake_word(peer, word, target):
    name = f"micro-wake-word-{word}"
    if not peer.file(name).exists():
        peer.keep(name, peer.run(engines.micro_wake_word, word, f"microWakeWord, {word}"))
    scores = json.loads(peer.file(name).read_text())

    def outcomes(threshold):
        crossings = {file: counting.crossings(found, threshold, engines.MICRO_STEP) for file, found in scores.items()}
        return peer.outcomes(word, crossings)

    thresholds = sorted({score for found in scores.values() for _, score in found}, reverse=True)
    search = counting.Search(thresholds)
    while (threshold := search.next()) is not None:
        search.tell(is_good(outcomes(threshold), target))
    threshold, looser = search.found()
    return f"threshold {threshold:.4f}", outcomes(threshold), (f"{looser:.4f}", outcomes(looser)) if looser is not None else None


def percent(n_missed, n_spoken, interval):
    low, high = (100 * share for share in interval)
    return f"{n_missed}/{n_spoken} {100 * n_missed / max(n_spoken, 1):.1f} % ({low:.1f}-{high:.1f})"


def rate(n_false, hours):
    return f"{n_false / hours:.2f} ({n_false} in {hours:.2f} h)"


def own_row(word, conditions):
    point = word["points"][-1]
    rows = {row["condition"]: row for row in point["conditions"]}
    missed = [rows[condition]["misses"] for condition in conditions]
    cells = [percent(found["n_missed"], found["n_spoken"], found["interval"]) for found in missed]
    false_accepts = point["false_accepts"]
    reached = rate(false_accepts["n_false_accepts"], false_accepts["hours"])
    head = [word["word"], "tripword", f"threshold {point['threshold']:.4f}", reached, ""]
    return [*head, *cells, f"{rows[conditions[0]]['median_latency_ms']} ms"], [found["miss_rate"] for found in missed]


def peer_row(word, engine, result, conditions):
    setting, outcomes, looser = result
    missed = [outcomes[condition] for condition in conditions]
    cells = [percent(o.n_missed, o.n_spoken, counting.wilson_interval(o.n_missed, o.n_spoken)) for o in missed]
    reached = rate(*counting.false_accepts(outcomes))
    n_false, hours = counting.false_accepts(looser[1]) if looser else (0, 1)
    next_rate = f"{n_false / hours:.2f} at {looser[0]}" if looser else "none tried"
    latency = missed[0].median_latency_ms()
    row = [word, engine, setting, reached, next_rate, *cells, "" if latency is None else f"{latency} ms"]
    return row, [o.n_missed / max(o.n_spoken, 1) for o in missed]


def mean_row(words, engine, rates):
    means = [f"{100 * sum(of_condition) / len(rates):.1f} %" for of_condition in zip(*rates)]
    return [f"mean of {words}", engine, "", "", "", *means, ""]


def markdown(head, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main():
    parser = argparse.ArgumentParser(prog="tests/quality/compare", description=__doc__)
    parser.add_argument("--data", default="data/dev", help="folder for tripword eval [default: data/dev]")
    parser.add_argument("--model", default="six-words", help="tripword's model [default: six-words]")
    parser.add_argument("--target", type=float, default=0.5, help="false accepts an hour, at most [default: 0.5]")
    parser.add_argument("--passes", type=int, default=5, choices=range(1, 6), help="of Porcupine's bisection; five tell steps of 0.05 [default: 5]")
    parser.add_argument("--jobs", type=int, default=2, help="processes of other engines at a time [default: 2]")
    parser.add_argument("--work", type=Path, default=ROOT / "target/quality", help="[default: target/quality]")
    parser.add_argument("--alone", action="store_true", help="measure tripword only, without the other engines")
    parser.add_argument("--self-test", action="store_true", help="only see that the counting counts")
    arguments = parser.parse_args()
    counting.self_test()
    if arguments.self_test:
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    report = measure_tripword(arguments, arguments.work)
    words = [word["word"] for word in report["words"]]
    folder = write_streams(arguments, words, arguments.work)
    streams = read_streams(folder)
    n_rows, differences = compare_countings(report, streams, folder, arguments.model)

    conditions = list(dict.fromkeys(stream.condition for stream in streams if stream.role == "words"))
    conditions.sort(key=[row["condition"] for row in report["words"][0]["points"][0]["conditions"]].index)
    peer = Peer(streams, folder, arguments.jobs)
    others = [] if arguments.alone else words
    of_porcupine = porcupine(peer, [word for word in others if word in engines.PORCUPINE_WORDS], arguments.target, arguments.passes)
    rows, rates = [], {}
    for word in report["words"]:
        name = word["word"]
        found = {"tripword": own_row(word, conditions)}
        if name in of_porcupine:
            found["Porcupine"] = peer_row(name, "Porcupine", of_porcupine[name], conditions)
        if name in engines.MICRO_WAKE_WORDS and name in others:
            result = micro_wake_word(peer, name, arguments.target)
            found["microWakeWord"] = peer_row(name, "microWakeWord", result, conditions)
        for engine, (row, of_engine) in found.items():
            rows.append(row)
            rates.setdefault(engine, []).append(of_engine)
    rows += [mean_row(len(of_engine), engine, of_engine) for engine, of_engine in rates.items() if len(of_engine) > 1]

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    versions = f"tripword {report['tripword_version']} ({report['model']})"
    versions += f", Porcupine {version('pvporcupine')}, pymicro-wakeword {version('pymicro-wakeword')}"
    print(f"{date.today()}, {processor}, {os.cpu_count()} cores, {versions}\n")
    head = ["word", "engine", "setting", "false accepts an hour", "one step looser", *conditions, "latency, clean"]
    print(markdown(head, rows))
    print(f"\nTripword's own events, counted here: {n_rows - len(differences)} of {n_rows} rows as in its report")
    print("\n".join(differences))


if __name__ == "__main__":
    main()
