"""A client of the Wyoming service by the protocol's own library: python wyoming_client.py URI DEMO.wav

Prints what it was answered, line by line; with mDNS, the name and port under which the service is found.
"""

import asyncio
import sys
import threading
import wave

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping
from wyoming.wake import Detect, Detection, NotDetected
from zeroconf import ServiceBrowser, Zeroconf

PATIENCE_S = 60


async def hear(client):
    return await asyncio.wait_for(client.read_event(), PATIENCE_S)


async def main(uri, path):
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await hear(client))
        print("info", info.wake[0].name, *sorted(model.name for model in info.wake[0].models))
        await client.write_event(Ping(text="hello").event())
        answer = await hear(client)
        print(answer.type, answer.data["text"])

    with wave.open(path) as file:
        rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
        sound = file.readframes(file.getnframes())

    # As Home Assistant does it: a connection of its own, chunks with their times, gone after the word.
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Detect(names=["snowboy", "alexa"]).event())
        await client.write_event(AudioStart(rate=rate, width=width, channels=channels, timestamp=1000).event())
        for start in range(0, len(sound), 2048):
            time_ms = 1000 + start * 1000 // (rate * width * channels)
            chunk = AudioChunk(rate, width, channels, sound[start : start + 2048], timestamp=time_ms)
            await client.write_event(chunk.event())
        detection = Detection.from_event(await hear(client))
        print("detection", detection.name, detection.timestamp)

    # As the library's HTTP bridge does it: a whole file at once, no detect, and then a wait without end.
    async with AsyncClient.from_uri(uri) as client:
        for payload in (sound, bytes(rate * width * channels)):
            await client.write_event(AudioStart(rate, width, channels).event())
            await client.write_event(AudioChunk(rate, width, channels, payload).event())
            await client.write_event(AudioStop().event())
            answers = [await hear(client)]
            while payload is sound and len(answers) < 6:
                answers.append(await hear(client))
            print(*("not-detected" if NotDetected.is_type(a.type) else Detection.from_event(a).name for a in answers))


class Found(threading.Event):
    """Knows when the service was found."""

    def add_service(self, zeroconf, kind, name):
        service = zeroconf.get_service_info(kind, name)
        if service and name.startswith("tripword-test."):
            print("mdns", name, service.port)
            self.set()

    def update_service(self, *_):
        pass

    def remove_service(self, *_):
        pass


asyncio.run(main(sys.argv[1], sys.argv[2]))
found, zeroconf = Found(), Zeroconf()
ServiceBrowser(zeroconf, "_wyoming._tcp.local.", found)
found.wait(10)
zeroconf.close()
