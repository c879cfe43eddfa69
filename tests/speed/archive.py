"""Labels an archive with the program that ships: hours of sound a second, and the most memory.

Makes an archive in a temporary folder from the sound in assets/ (ffmpeg), then labels each kind of it several times, on all cores, with
nothing but events on standard output; the table has the median. The files lie in the page cache: what is measured is the program.
Then one file of ten hours, with every output there is, for its memory.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = {
    "WAV, 16 kHz": ("wav", ["-ar", "16000", "-ac", "1"]),
    "FLAC, 16 kHz": ("flac", ["-ar", "16000", "-ac", "1"]),
    "WAV, 48 kHz stereo": ("wav", ["-ar", "48000", "-ac", "2"]),
    "FLAC, 48 kHz stereo": ("flac", ["-ar", "48000", "-ac", "2"]),
    "MP3, 44.1 kHz, 128 kbit/s": ("mp3", ["-ar", "44100", "-ac", "1", "-b:a", "128k"]),
    "Ogg Vorbis, 44.1 kHz": ("ogg", ["-ar", "44100", "-ac", "1", "-c:a", "libvorbis"]),
    "Opus, 32 kbit/s": ("opus", ["-ac", "1", "-c:a", "libopus", "-b:a", "32k"]),
    "AAC in MP4, 44.1 kHz": ("m4a", ["-ar", "44100", "-ac", "1", "-c:a", "aac"]),
}


def make(path, hours, options):
    """Repeats the demonstration's sound for so many hours."""
    demo = ROOT / "assets/demo.wav"
    length = ["-t", str(round(hours * 3600))]
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", demo, *length, *options, path]
    subprocess.run(command, check=True)


def label(program, arguments):
    """Seconds of wall time, seconds of CPU time, and the most megabytes of memory that the run took."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [program, "label", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{arguments}: {child.stderr.read().decode()}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "target/release/tripword")
    parser.add_argument("--files", type=int, default=2 * os.cpu_count(), help="files of an hour each")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", help="where the archive is made, and left [default: a temporary one]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary)
        print(f"{options.files} files of one hour, {os.cpu_count()} cores, median of {options.runs} runs\n")
        print("| recordings | hours a second | of WAV's | CPU time an hour | memory |\n|---|---|---|---|---|")
        reference = None
        for kind, (ending, how) in KINDS.items():
            of_kind = folder / kind.replace(",", "").replace(" ", "-").replace("/", "")
            of_kind.mkdir(parents=True, exist_ok=True)
            first = of_kind / f"0.{ending}"
            if not first.exists():
                make(first, 1, how)
            for i in range(1, options.files):
                link = of_kind / f"{i}.{ending}"
                if not link.exists():
                    link.hardlink_to(first)
            runs = [label(options.program, ["--json", of_kind]) for _ in range(options.runs)]
            wall_s, cpu_s, megabytes = (statistics.median(run[i] for run in runs) for i in range(3))
            rate = options.files / wall_s
            reference = reference or rate
            print(
                f"| {kind} | {rate:.2f} | {rate / reference * 100:.0f} % | {cpu_s / options.files:.2f} s | "
                f"{megabytes:.0f} MB |",
                flush=True,
            )
        long = folder / "ten-hours.flac"
        if not long.exists():
            make(long, 10, ["-ar", "16000", "-ac", "1"])
        out = folder / "out"
        outputs = ["--format", "audacity,textgrid,rttm,webvtt,jsonl,csv", "--out", out, "--scores", out]
        outputs += ["--clips", out / "clips"]
        for what, arguments in {"events only": ["--json"], "labels, scores and clips": outputs}.items():
            wall_s, _, megabytes = label(options.program, [*arguments, long])
            print(f"\none file of ten hours, {what}: {wall_s:.1f} s, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
