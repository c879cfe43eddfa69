#!/bin/sh
# Makes demo.wav: the six words of the shipped model and some other sentences, spoken by flite over pink noise.
# usage: assets/make_demo.sh     (needs flite and sox)
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=10
say() {
  n=$((n + 1))
  flite -voice "$1" -t "$2" -o "$work/raw.wav"
  sox "$work/raw.wav" -r 16000 -c 1 -b 16 "$work/$n.wav" gain -n -9 pad 0.6 0.5
}
say slt "Good morning. Did you sleep well?"
say rms "computer"
say awb "I left the keys on the kitchen table."
say slt "smart mirror"
say rms "The train to the coast was late again, so we walked."
say rms "jarvis"
say slt "What would you like for lunch today?"
say rms "snowboy"
say slt "The weather will be fine until the weekend."
say slt "alexa"
say rms "view glass"
say awb "That is all for now. Thank you for listening."
sox "$work"/[0-9]*.wav "$work/speech.wav"
# -R: the same noise each time.
sox -R "$work/speech.wav" "$work/noise.wav" synth pinknoise gain -42
sox -m -v 1 "$work/speech.wav" -v 1 "$work/noise.wav" -b 16 demo.wav
