"""Other engines over WAV files: what each hears in one file, alone in its process, from a fresh start."""

import ctypes
import os
import wave

import counting

# Words as tripword's model calls them, and as the engines do.
PORCUPINE_WORDS = {
    "alexa": "alexa",
    "computer": "computer",
    "jarvis": "jarvis",
    "smart_mirror": "smart mirror",
    "snowboy": "snowboy",
    "view_glass": "view glass",
}
MICRO_WAKE_WORDS = {"alexa": "alexa"}
# Its network looks at three frames of 10 ms at a time.
MICRO_STEP = 480
# Scores below are not kept; no threshold is sought there.
MICRO_FLOOR = 0.05


def be_nice():
    os.nice(10)


def frames(path, n_samples):
    """(samples so far, the bytes of the last `n_samples` of them)."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (counting.RATE_HZ, 1, 2), path
        position = 0
        while len(chunk := file.readframes(n_samples)) == 2 * n_samples:
            position += n_samples
            yield position, chunk


def porcupine(job):
    """(path, {word: sensitivity}) to {word: samples of its events}."""
    import pvporcupine

    path, sensitivities = job
    words = list(sensitivities)
    engine = pvporcupine.create(
        keywords=[PORCUPINE_WORDS[word] for word in words], sensitivities=[sensitivities[word] for word in words]
    )
    # The library itself instead of `engine.process`, which takes a third of the time to copy its samples one by one; the events are the same.
    heard, process = ctypes.c_int(), engine.process_func
    process.argtypes = None
    events = {word: [] for word in words}
    for position, chunk in frames(path, engine.frame_length):
        status = process(engine._handle, chunk, ctypes.byref(heard))
        assert status == engine.PicovoiceStatuses.SUCCESS, status
        if heard.value >= 0:
            events[words[heard.value]].append(position)
    engine.delete()
    return events


def micro_wake_word(job):
    """(path, word) to (sample, score) wherever the score is not low. The score is the mean that the engine compares with its cutoff."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures
    from pymicro_wakeword.const import Model

    path, word = job
    engine, features = MicroWakeWord.from_builtin(Model(MICRO_WAKE_WORDS[word])), MicroWakeWordFeatures()
    scores = []
    for position, chunk in frames(path, 160):
        for frame in features.process_streaming(chunk):
            score = engine.process_streaming_prob(frame)
            if score is not None and score >= MICRO_FLOOR:
                scores.append((position, score))
    return scores
