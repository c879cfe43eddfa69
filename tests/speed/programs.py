"""Whole programs: `tripword label` on a long recording, `tripword listen` on a microphone.

The microphone is a FIFO behind ALSA's file plugin, fed a block every 40 ms as a sound card would: all of capture, ALSA and our
threads are real. Times are the kernel's, taken from outside.
"""

import json
import os
import shutil
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
FILTER_S = 0.01  # sound after a sample that the anti-alias filter needs, when the card has another rate


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


def peak_bytes(pid):
    """The most memory that a running process has held so far; None once it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


def label(path):
    """CPU seconds and peak bytes of `tripword label --jobs 1`."""
    command = [TRIPWORD, "label", "--json", "--jobs", "1", path]
    # What the kernel tells at the end counts the memory of Python, too, from which the process was forked.
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, peak_bytes(process.pid) or 0)
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"label ended with {process.returncode}"
    return usage.ru_utime + usage.ru_stime, peak


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
        self.filter_s = 0.0 if rate_hz == RATE_HZ else FILTER_S
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

    def stop(self):
        self.is_over = True
        if self.is_alive():
            self.join()
        os.close(self.fifo)


def on_cpu_s(pid):
    """Time on a processor of all threads, in nanosecond resolution."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def demo_at(rate_hz, n_channels):
    """The demo at a sound card's rate, (time, channels)."""
    samples = demo()
    if rate_hz != RATE_HZ:
        n_out = len(samples) * rate_hz // RATE_HZ
        samples = np.fft.irfft(np.fft.rfft(samples), n_out) * (n_out / len(samples))
    return np.repeat(samples[:, None], n_channels, 1)


class Listen:
    """A running `tripword listen` with what it prints."""

    def __init__(self, microphone):
        command = [TRIPWORD, "listen", "--input", "alsa:mic", "--set", f"input.rate_hz={microphone.rate_hz}"]
        environment = {**os.environ, "ALSA_CONFIG_PATH": str(microphone.config)}
        self.microphone = microphone
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.seen = {"microphone opened": threading.Event(), "first samples": threading.Event()}
        self.seen_at = {}
        self.delays_s = []
        self.readers = [threading.Thread(target=read) for read in (self.read_log, self.read_events)]
        for reader in self.readers:
            reader.start()

    def read_log(self):
        for line in self.process.stderr:
            for text, event in self.seen.items():
                if text in line:
                    self.seen_at[text] = time.perf_counter()
                    event.set()

    def read_events(self):
        for line in self.process.stdout:
            arrived = time.perf_counter()
            last_sample_s = json.loads(line)["time_s"] - 1 / RATE_HZ + self.microphone.filter_s
            self.delays_s.append(arrived - self.microphone.written_at[int(last_sample_s / BLOCK_S)])

    def wait_for(self, text):
        assert self.seen[text].wait(10), f"listen did not log '{text}'"
        return self.seen_at[text] - self.started

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        for reader in self.readers:
            reader.join()
        self.process.wait()
        self.microphone.stop()


def cpu_share(pid, seconds):
    """Of one core, once the process has settled."""
    time.sleep(2.0)
    cpu_s, wall_s = on_cpu_s(pid), time.perf_counter()
    time.sleep(seconds)
    return (on_cpu_s(pid) - cpu_s) / (time.perf_counter() - wall_s)


def listen(folder, rate_hz, n_channels, seconds):
    """CPU share, peak bytes, and the delays from the block with the last sample needed to the event read."""
    microphone = Microphone(folder, demo_at(rate_hz, n_channels), rate_hz)
    program = Listen(microphone)
    program.wait_for("microphone opened")
    # Only now, so that opening the device takes nothing away and the stream's clock is ours.
    microphone.start()
    share = cpu_share(program.process.pid, seconds)
    peak = peak_bytes(program.process.pid)
    program.stop()
    return share, peak, program.delays_s


def listen_start_s(folder, rate_hz, n_channels):
    """From the start of the process to the first sample processed, with sound waiting in the card."""
    microphone = Microphone(folder, demo_at(rate_hz, n_channels), rate_hz)
    microphone.start()
    time.sleep(0.3)
    program = Listen(microphone)
    seconds = program.wait_for("first samples")
    program.stop()
    return seconds


def recorder_share(folder, rate_hz, n_channels, seconds):
    """CPU share of ALSA's own arecord, which does nothing with the same sound; None where it is not installed."""
    if shutil.which("arecord") is None:
        return None
    microphone = Microphone(folder, demo_at(rate_hz, n_channels), rate_hz)
    block = microphone.block_samples
    command = ["arecord", "-q", "-D", "mic", "-f", "FLOAT_LE", "-r", str(rate_hz), "-c", str(n_channels), "-t", "raw"]
    command += [f"--period-size={block}", f"--buffer-size={4 * block}", "/dev/null"]
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(microphone.config)}
    microphone.start()
    with subprocess.Popen(command, env=environment) as process:
        share = cpu_share(process.pid, seconds)
        process.kill()
    microphone.stop()
    return share
