"""Reads label files with other people's readers: a line for each label, FORMAT WORD START END, in seconds.

read_labels.py FOLDER: all kinds of labels of one recording. Also writes FOLDER/praat.TextGrid: as Praat itself saves what it has read.
"""

import html
import pathlib
import sys

import parselmouth
import textgrid
import webvtt
from pyannote.database.util import load_rttm

folder = pathlib.Path(sys.argv[1])
(grid_path,) = folder.glob("talk.TextGrid")

grid = parselmouth.read(str(grid_path))
call = parselmouth.praat.call
for tier in range(1, call(grid, "Get number of tiers") + 1):
    if not call(grid, "Is interval tier", tier):
        continue
    for i in range(1, call(grid, "Get number of intervals", tier) + 1):
        text = call(grid, "Get label of interval", tier, i)
        if text:
            start, end = (call(grid, f"Get {which} point", tier, i) for which in ("start", "end"))
            print(f"praat\t{text}\t{start:.6f}\t{end:.6f}")
print(f"duration\t\t{grid.xmin:.6f}\t{grid.xmax:.6f}")
grid.save(str(folder / "praat.TextGrid"))

# Left alone it rounds to five digits, less than a sample.
grid = textgrid.TextGrid()
grid.read(str(grid_path), round_digits=7)
for tier in grid:
    if isinstance(tier, textgrid.IntervalTier):
        for interval in tier:
            if interval.mark:
                print(f"textgrid\t{interval.mark}\t{interval.minTime:.6f}\t{interval.maxTime:.6f}")

for annotation in load_rttm(str(folder / "talk.rttm")).values():
    for segment, _, label in annotation.itertracks(yield_label=True):
        print(f"rttm\t{label}\t{segment.start:.6f}\t{segment.end:.6f}")


def seconds(clock):
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


# It leaves `&amp;` as it is, and `start_in_seconds` is a whole number.
for cue in webvtt.read(str(folder / "talk.vtt")):
    print(f"webvtt\t{html.unescape(cue.text)}\t{seconds(cue.start):.6f}\t{seconds(cue.end):.6f}")
