"""Clients of a daemon's own microphone by the protocol's own library: python wyoming_microphone_client.py WAKE_URI MICROPHONE_URI HEARD.wav

One asks what there is, one asks for a word and sends no sound, one selects the microphone, and one is as a satellite: it connects and
reads. Prints what each was given; sound is compared with the file that the daemon hears.
"""

import asyncio
import sys
import wave
from array import array

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info, SelectProgram
from wyoming.wake import Detect, Detection

PATIENCE_S = 60


async def hear(client):
    return await asyncio.wait_for(client.read_event(), PATIENCE_S)


async def describe(uri):
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await hear(client))
        format = info.mic[0].mic_format
        return f"info {info.wake[0].name} {info.mic[0].name} {format.rate} {format.width} {format.channels}"


async def wait_for_word(uri, word):
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Detect(names=[word], context={"room": "hall"}).event())
        detection = Detection.from_event(await hear(client))
        return f"detection {detection.name} {detection.timestamp} {detection.context['room']}"


async def record(uri, selects, truth):
    async with AsyncClient.from_uri(uri) as client:
        if selects:
            await client.write_event(SelectProgram("microphone").event())
        start = AudioStart.from_event(await hear(client))
        assert (start.rate, start.width, start.channels) == (16_000, 2, 1), start
        samples, times = array("h"), []
        while not AudioStop.is_type((event := await hear(client)).type):
            chunk = AudioChunk.from_event(event)
            times.append((chunk.timestamp, start.timestamp + len(samples) * 1000 // 16_000))
            samples.frombytes(chunk.audio)
    # Times are whole milliseconds, of 16 samples; samples go through numbers from -1 to 1 and back.
    is_same = lambda at: all(abs(a - b) <= 1 for a, b in zip(samples, truth[at:], strict=True))
    place = next((at for at in range(start.timestamp * 16, start.timestamp * 16 + 16) if len(truth) - at == len(samples) and is_same(at)), None)
    assert place is not None, f"{len(samples)} samples from {start.timestamp} ms on are not those of the file"
    assert all(abs(told - counted) <= 1 for told, counted in times), times
    return f"sound {'selected' if selects else 'at once'} to the end"


async def main(wake, microphone, path):
    with wave.open(path) as file:
        truth = array("h", file.readframes(file.getnframes()))
    clients = [describe(wake), wait_for_word(wake, "smart_mirror"), record(wake, True, truth), record(microphone, False, truth)]
    for line in await asyncio.gather(*clients):
        print(line)


asyncio.run(main(*sys.argv[1:]))
