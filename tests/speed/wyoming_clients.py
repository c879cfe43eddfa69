#!/usr/bin/env python3
"""Many clients of the Wyoming service that stream in real time: how soon they are answered, and what it costs. Linux, no packages.

tests/speed/wyoming_clients.py [--clients 200] [--seconds 60] [--core 0] [--program target/release/tripword]

Each client streams the demo recording from another place on, at another level, over and over, in portions that are sent when a microphone
would have them. What `tripword label` finds in the very same samples is what has to be told, no more and no less. Two delays are measured,
from the moment a portion is sent to the arrival of the `detection`: of the portion that holds the last sample that the decision needs
(what the service takes), and of the portion that holds the end of the word (which has the detector's own delay in it). The service is
bound to one core, unless --core is -1. The last line is JSON; the exit status is 1 if words were lost or the service took too long.
"""

import argparse
import heapq
import json
import os
import random
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import wave
from array import array
from pathlib import Path

RATE = 16_000
ROOT = Path(__file__).resolve().parents[2]
START = json.dumps({"type": "audio-start", "data": {"rate": RATE, "width": 2, "channels": 1, "timestamp": 0}}).encode() + b"\n"
STOP = b'{"type":"audio-stop"}\n'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--portion", type=int, default=1024, help="samples sent at a time")
    parser.add_argument("--core", type=int, default=0, help="the core of the service; -1: any")
    parser.add_argument("--program", default=str(ROOT / "target/release/tripword"))
    parser.add_argument("--most-ms", type=float, default=150, help="99 % of the service's delays may be so long")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def streams(n_clients, n_samples, seed):
    """What each client plays: 16-bit samples."""
    draw = random.Random(seed)
    with wave.open(str(ROOT / "assets/demo.wav")) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        demo = array("h", file.readframes(file.getnframes()))
    for _ in range(n_clients):
        offset, gain = draw.randrange(len(demo)), 10 ** (draw.uniform(-12, 0) / 20)
        turned = array("h", (int(sample * gain) for sample in demo[offset:] + demo[:offset]))
        yield (turned * (n_samples // len(demo) + 1))[:n_samples]


def label(program, folder, played):
    """The events of each stream, as `label` finds them."""
    paths = []
    for i, samples in enumerate(played):
        paths.append(str(folder / f"{i}.wav"))
        with wave.open(paths[-1], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.tobytes())
    out = subprocess.run([program, "label", "--json", *paths], check=True, capture_output=True, text=True).stdout
    found = {path: [] for path in paths}
    for line in out.splitlines():
        event = json.loads(line)
        found[event["file"]].append(event)
    return list(found.values())


class Client:
    """One connection."""

    def __init__(self, place, samples, portion, events):
        self.socket = socket.create_connection(place)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.portion = portion
        self.samples = samples
        self.n_sent = 0
        self.sent_at = []
        self.unread = b""
        self.expected = {(event["word"], round(event["time_s"] * 1000)): event for event in events}
        self.told = []
        self.n_odd = 0
        self.is_answered = False
        self.socket.sendall(START)

    def send(self):
        """The next portion; gives whether there is another."""
        chunk = self.samples[self.n_sent : self.n_sent + self.portion].tobytes()
        self.n_sent += self.portion
        head = {"type": "audio-chunk", "version": "1.9.0", "data_length": 0, "payload_length": len(chunk)}
        data = b'{"rate":16000,"width":2,"channels":1,"timestamp":%d}' % ((self.n_sent - self.portion) * 1000 // RATE)
        head["data_length"] = len(data)
        message = json.dumps(head).encode() + b"\n" + data + chunk
        self.sent_at.append(time.monotonic())
        self.socket.sendall(message)
        if self.n_sent < len(self.samples):
            return True
        self.socket.sendall(STOP)
        return False

    def receive(self):
        now = time.monotonic()
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError("the service has let a client go")
        self.unread += received
        while b"\n" in self.unread:
            line, rest = self.unread.split(b"\n", 1)
            header = json.loads(line)
            n_data = header.get("data_length", 0)
            if len(rest) < n_data:
                return
            data, self.unread = json.loads(rest[:n_data] or "{}"), rest[n_data:]
            event = self.expected.pop((data.get("name"), data.get("timestamp")), None)
            if header["type"] == "detection" and event:
                self.told.append((event, now))
            elif header["type"] != "not-detected":
                self.n_odd += 1

    def delays_ms(self, field):
        """From the portion that holds the last sample before `field` to the answer, where the stream was still going on."""
        return [
            (arrival - self.sent_at[(event[field] - 1) // self.portion]) * 1000
            for event, arrival in self.told
            if event["time_sample"] <= len(self.samples)
        ]


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def start(args):
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = free.getsockname()
    command = [args.program, "wyoming", "--address", "tcp://%s:%d" % place]
    command += ["--set", f"wyoming.max_clients={args.clients + 1}", "--log", "warn"]
    if args.core >= 0 and shutil.which("taskset"):
        command = ["taskset", "-c", str(args.core), *command]
    service = subprocess.Popen(command)
    for _ in range(200):
        try:
            socket.create_connection(place).close()
            return service, place
        except OSError:
            time.sleep(0.05)
    service.kill()
    sys.exit(f"the service did not start: {' '.join(command)}")


def play(clients, portion_s):
    """Streams until all is sent and answered; gives how late portions were sent."""
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
    began = time.monotonic()
    # Microphones do not beat in time.
    due = [(began + portion_s * (1 + i / len(clients)), i) for i in range(len(clients))]
    heapq.heapify(due)
    late_ms, quiet_since = [], None
    while due or time.monotonic() - quiet_since < 1:
        now = time.monotonic()
        while due and due[0][0] <= now:
            at, i = heapq.heappop(due)
            late_ms.append((now - at) * 1000)
            if clients[i].send():
                heapq.heappush(due, (at + portion_s, i))
            now = time.monotonic()
        for key, _ in selector.select(max(0, due[0][0] - now) if due else 0.2):
            key.data.receive()
            quiet_since = time.monotonic()
        quiet_since = quiet_since or now
    return late_ms, time.monotonic() - began


def percentiles(values):
    values = sorted(values)
    at = lambda part: round(values[min(len(values) - 1, int(part * len(values)))], 2) if values else None
    return {"n": len(values), "median": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1)}


def main():
    args = arguments()
    played = list(streams(args.clients, int(args.seconds * RATE), args.seed))
    with tempfile.TemporaryDirectory() as folder:
        events = label(args.program, Path(folder), played)
    service, place = start(args)
    try:
        clients = [Client(place, samples, args.portion, found) for samples, found in zip(played, events)]
        cpu_before = cpu_s(service.pid)
        late_ms, wall_s = play(clients, args.portion / RATE)
        cpu_percent = 100 * (cpu_s(service.pid) - cpu_before) / wall_s
        memory_mb = peak_mb(service.pid)
    finally:
        service.terminate()
        service.wait()
    result = {
        "clients": args.clients,
        "seconds": args.seconds,
        "core_percent": round(cpu_percent, 1),
        "peak_mb": round(memory_mb, 1),
        "words": sum(len(found) for found in events),
        "lost": sum(len(client.expected) for client in clients),
        "odd": sum(client.n_odd for client in clients),
        "sent_late_ms": percentiles(late_ms),
        "service_ms": percentiles([delay for client in clients for delay in client.delays_ms("time_sample")]),
        "from_word_end_ms": percentiles([delay for client in clients for delay in client.delays_ms("end_sample")]),
    }
    for key, value in result.items():
        print(f"{key:18} {value}", file=sys.stderr)
    print(json.dumps(result))
    is_late = not result["service_ms"]["n"] or result["service_ms"]["p99"] > args.most_ms
    return int(bool(result["lost"] or result["odd"] or is_late))


if __name__ == "__main__":
    sys.exit(main())
