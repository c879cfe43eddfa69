"""Whole programs: `tripword label` on a long recording, `tripword listen` on a microphone.

The microphone is a FIFO behind ALSA's file plugin, fed a block every 40 ms as a sound card would: all of capture, ALSA and our
threads are real. Times are the kernel's, taken from outside.
"""

import json
import os
import signal
import struct
import subprocess
import threading
import time
import wave
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TRIPWORD = ROOT / "target/release/tripword"
DEMO = ROOT / "assets/demo.wav"
RATE_HZ = 16_000
BLOCK_S = 0.04  # the default of input.block_ms


def demo():
    with wave.open(str(DEMO)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768


def write_long_recording(path, hours):
    """The demo over and over, 16 bit mono."""
    demo_bytes = (demo() * 32767).astype("<i2").tobytes()
    n_bytes = int(hours * 3600 * RATE_HZ) * 2
    with open(path, "wb") as file:
        header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + n_bytes, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ,
                             2 * RATE_HZ, 2, 16, b"data", n_bytes)  # fmt: skip
        file.write(header)
        while n_bytes > 0:
            n_bytes -= file.write(demo_bytes[:n_bytes])


def label(path):
    """CPU seconds, wall seconds and peak bytes of `tripword label --jobs 1`."""
    command = [TRIPWORD, "label", "--json", "--jobs", "1", path]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"label ended with {process.returncode}"
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss * 1024


class Microphone(threading.Thread):
    """Plays `samples`, (time, channels), over and over into a FIFO that ALSA takes for a sound card."""

    def __init__(self, folder, samples, rate_hz):
        super().__init__(daemon=True)
        self.rate_hz, self.n_channels = rate_hz, samples.shape[1]
        self.blocks = samples[: len(samples) // self.block_samples * self.block_samples].astype("<f4")
        self.blocks = self.blocks.reshape(-1, self.block_samples * self.n_channels)
        fifo, self.config = folder / "mic.fifo", folder / "asound.conf"
        os.mkfifo(fifo)
        # Read and write: opening waits for nobody, and closing a device does not end the stream.
        self.fifo = os.open(fifo, os.O_RDWR)
        slave = f'{{ pcm "raw_mic" format FLOAT_LE channels {self.n_channels} rate {rate_hz} }}'
        self.config.write_text(
            f'</usr/share/alsa/alsa.conf>\n'
            f'pcm.raw_mic {{ type file slave.pcm "null" file "/dev/null" infile "{fifo}" format "raw" }}\n'
            f"pcm.mic {{ type plug slave {slave} hint {{ show on description \"mic\" }} }}\n"
        )
        self.written_at = []
        self.is_over = False

    @property
    def block_samples(self):
        return int(self.rate_hz * BLOCK_S)

    def run(self):
        due = time.perf_counter()
        while not self.is_over:
            self.written_at.append(time.perf_counter())
            os.write(self.fifo, self.blocks[(len(self.written_at) - 1) % len(self.blocks)].tobytes())
            due += BLOCK_S
            time.sleep(max(0.0, due - time.perf_counter()))


def on_cpu_s(pid):
    """Time on a processor of all threads, in nanosecond resolution."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def listen(folder, rate_hz, n_channels, seconds):
    """CPU share, peak bytes, start to the first sample, and delays of events in `seconds` of `tripword listen`."""
    samples = demo()
    if rate_hz != RATE_HZ:
        n_out = len(samples) * rate_hz // RATE_HZ
        samples = np.fft.irfft(np.fft.rfft(samples), n_out) * (n_out / len(samples))
    microphone = Microphone(folder, np.repeat(samples[:, None], n_channels, 1), rate_hz)
    microphone.start()
    command = [TRIPWORD, "listen", "--input", "alsa:mic", "--set", f"input.rate_hz={rate_hz}"]
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(microphone.config)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    first_sample_s, delays_s = [], []

    def read_log():
        for line in process.stderr:
            if "first samples" in line:
                first_sample_s.append(time.perf_counter() - started)

    def read_events():
        for line in process.stdout:
            arrived = time.perf_counter()
            last_sample_s = json.loads(line)["time_s"] - 1 / RATE_HZ
            delays_s.append(arrived - microphone.written_at[int(last_sample_s / BLOCK_S)])

    readers = [threading.Thread(target=read) for read in (read_log, read_events)]
    for reader in readers:
        reader.start()
    time.sleep(2.0)
    cpu_s, wall_s = on_cpu_s(process.pid), time.perf_counter()
    time.sleep(seconds)
    cpu_share = (on_cpu_s(process.pid) - cpu_s) / (time.perf_counter() - wall_s)
    peak = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line)
    process.send_signal(signal.SIGTERM)
    for reader in readers:
        reader.join()
    process.wait()
    microphone.is_over = True
    microphone.join()
    os.close(microphone.fifo)
    assert first_sample_s, "listen heard nothing"
    return cpu_share, int(peak.split()[1]) * 1024, first_sample_s[0], delays_s
