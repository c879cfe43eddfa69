"""Measures tripword and its peers in turns and prints the table; started by tests/speed/compare.

Training, streaming and label are medians over rounds, in which ours and theirs take turns, so that a change of the machine's mood meets
both; listen and arecord are one run each, one after the other.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import programs

ROOT = Path(__file__).resolve().parents[2]
SPEED = ROOT / "tests/speed"
FIXTURES = ROOT / "target/speed"
# What our training sets for itself the peers are given, too: tensors of a step reuse the memory of the last.
PEER_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "67108864",
}
# Threads that wait for each other may spin, which costs CPU time, or sleep, which costs wall time.
SPINNING, SLEEPING = {}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def progress(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def bench(name, clock="cpu"):
    """Our benchmark `name`: its median in nanoseconds."""
    options = ["--warm-up-time", "0.5", "--measurement-time", "1.5", "--sample-size", "15", "--exact", name]
    environment = {**os.environ, "TRIPWORD_SPEED_CLOCK": clock, "CRITERION_HOME": str(FIXTURES / "criterion")}
    command = ["cargo", "bench", "--quiet", "--locked", "--bench", "speed", "--", *options]
    subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for found in FIXTURES.glob("criterion/**/new/benchmark.json"):
        if json.loads(found.read_text())["full_id"] == name:
            return json.loads(found.with_name("estimates.json").read_text())["median"]["point_estimate"]
    sys.exit(f"the benchmark '{name}' left no result; cargo bench -- --list names them all")


def peer(script, *arguments, waiting=SPINNING):
    command = [sys.executable, str(SPEED / script), *map(str, arguments)]
    environment = {**os.environ, **PEER_ENVIRONMENT, **waiting}
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(result.stdout)


def write_fixtures():
    environment = {**os.environ, "TRIPWORD_SPEED_FIXTURES": str(FIXTURES)}
    subprocess.run(["cargo", "bench", "--quiet", "--locked"], check=True, env=environment, cwd=ROOT)


class Table:
    """Rows of what, ours, the peer's, their ratio and the bar."""

    def __init__(self):
        self.rows = []

    def against(self, what, ours, theirs, unit, bar):
        """A ratio of medians; less is better."""
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        ratio = theirs / ours
        self.rows.append((what, f"{ours:.3g} {unit}", f"{theirs:.3g} {unit}", f"{ratio:.1f}x", f"{bar}x", ratio >= bar))

    def at_most(self, what, ours, unit, bar, peer=None):
        self.rows.append((what, f"{ours:.3g} {unit}", peer or "", "", f"at most {bar:g} {unit}", ours <= bar))

    def at_least(self, what, ours, unit, bar):
        self.rows.append((what, f"{ours:.0f}{unit}", "", "", f"at least {bar}{unit}", ours >= bar))

    def markdown(self):
        lines = ["| what | tripword | peer | faster by | bar | |", "|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(row[:-1])} | {'met' if row[-1] else '**missed**'} |" for row in self.rows]
        return "\n".join(lines)


def compare_training(table, rounds):
    versions = set()
    for network in ("default", "wide"):
        file = FIXTURES / f"training-{network}.safetensors"
        ours, theirs = {}, {}
        for i in range(rounds):
            progress(f"training step of the {network} network, round {i + 1} of {rounds}")
            for threads in (1, 2):
                name = f"training/step of the {network} network, 32 x 10 s, {threads} threads"
                ours.setdefault(("cpu", threads), []).append(bench(name) / 1e6)
                ours.setdefault(("wall", threads), []).append(bench(name, "wall") / 1e6)
                policies = (SPINNING, SLEEPING) if threads > 1 else (SPINNING,)
                results = [peer("pytorch_step.py", file, threads, waiting=waiting) for waiting in policies]
                versions.update(result["version"] for result in results)
                for clock in ("cpu", "wall"):
                    # Whichever is better for PyTorch.
                    best = min(result[f"{clock}_ms"] for result in results)
                    theirs.setdefault((clock, threads), []).append(best)
        for threads, bar in ((1, 1.7), (2, 3)):
            for clock in ("cpu", "wall"):
                what = f"training step, {network} network, {threads} thread{'s' * (threads > 1)}, {clock} time"
                table.against(what, ours[clock, threads], theirs[clock, threads], "ms", bar)
    return f"PyTorch {versions.pop()}"


def compare_streaming(table, rounds):
    ours, theirs = [], []
    for i in range(rounds):
        progress(f"streaming network, round {i + 1} of {rounds}")
        ours.append(bench("pipeline/network, one step of 80 ms") / 1e3)
        result = peer("onnxruntime_stream.py", FIXTURES / "streaming.safetensors")
        theirs.append(result["cpu_us"])
    table.against("network, one streaming step of 80 ms", ours, theirs, "µs", 3)
    return f"ONNX Runtime {result['version']}"


def measure_end_to_end(table, rounds):
    ratios = []
    for i in range(rounds):
        progress(f"end-to-end training, round {i + 1} of {rounds}")
        whole = bench("training/end to end, a step and its 48 mixes of 6 s")
        ratios.append(whole / bench("training/its step alone"))
    table.at_most("training step with the making of its mixes and features, against the step alone", statistics.median(ratios), "times", 1.3)


def measure_label(table, rounds, hours):
    with tempfile.TemporaryDirectory(dir=FIXTURES) as folder:
        recording = Path(folder) / "long.wav"
        programs.write_long_recording(recording, hours)
        cpu_s, peaks = [], []
        for i in range(rounds):
            progress(f"label of {hours:g} h, round {i + 1} of {rounds}")
            cpu, peak = programs.label(recording)
            cpu_s.append(cpu)
            peaks.append(peak)
    table.at_least(f"label, a {hours:g} h file, one core", hours * 3600 / statistics.median(cpu_s), " times real time", 4000)
    table.at_most(f"label, peak memory, a {hours:g} h file", max(peaks) / 1e6, "MB", 60)


def in_folder(measure, *arguments):
    with tempfile.TemporaryDirectory(dir=FIXTURES) as folder:
        return measure(Path(folder), *arguments)


def measure_listen(table, seconds):
    for rate_hz in (16_000, 48_000):
        card = (rate_hz, 1)
        what = f"listen, {rate_hz // 1000} kHz"
        progress(f"{what}, {seconds} s, then arecord and five starts")
        share, peak, delays = in_folder(programs.listen, *card, seconds)
        assert delays, f"listen raised no event in {seconds} s; the demo is half a minute long"
        recorder = in_folder(programs.recorder_share, *card, seconds)
        starts = [in_folder(programs.listen_start_s, *card) for _ in range(5)]
        table.at_most(f"{what}, of a core", share * 100, "%", 0.1, peer=recorder and f"arecord {recorder * 100:.2g} %")
        table.at_most(f"{what}, peak memory", peak / 1e6, "MB", 25)
        table.at_most(
            f"{what}, block written to event read, median of {len(delays)}", statistics.median(delays) * 1e3, "ms", 15
        )
        table.at_most(f"{what}, start to first sample, sound waiting, median of 5", statistics.median(starts) * 1e3, "ms", 50)


def main():
    parser = argparse.ArgumentParser(prog="tests/speed/compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of ours and theirs [default: 5]")
    parser.add_argument("--hours", type=float, default=10, help="length of the file for label [default: 10, 1.2 GB]")
    parser.add_argument("--seconds", type=int, default=120, help="how long listen listens [default: 120]")
    arguments = parser.parse_args()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    write_fixtures()
    table = Table()
    measure_listen(table, arguments.seconds)
    measure_label(table, arguments.rounds, arguments.hours)
    peers = [compare_training(table, arguments.rounds), compare_streaming(table, arguments.rounds)]
    measure_end_to_end(table, arguments.rounds)
    cpuinfo = Path("/proc/cpuinfo").read_text()
    processor = next((line.split(":")[1].strip() for line in cpuinfo.splitlines() if "model name" in line), "")
    isa = "AVX-512" if " avx512f " in cpuinfo else "AVX2" if " avx2 " in cpuinfo else "no AVX2"
    print(f"{date.today()}, {processor or platform.machine()} ({isa}), {os.cpu_count()} cores, {', '.join(peers)}\n")
    print(table.markdown())


main()
