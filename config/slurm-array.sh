#!/bin/sh
# Labels an archive on the machines of a Slurm cluster, a part of it in each task of an array:
#
#   sbatch --array=1-16 config/slurm-array.sh /data/archive /data/found
#   tripword merge --out /data/found/all /data/found/shard-*
#
# What follows the two folders goes to `tripword label`, as in --model my-word --threshold 0.8. Both folders must be the same ones on all machines.
# A task that failed is done again by its number, with the number of all parts said:
#
#   SHARDS=16 sbatch --array=7 config/slurm-array.sh /data/archive /data/found
#
#SBATCH --job-name=tripword
#SBATCH --cpus-per-task=2
# A file at a time on each core, some 30 MB each.
#SBATCH --mem=512M
#SBATCH --time=12:00:00
#SBATCH --output=tripword-%A_%a.log
set -eu
archive=${1:?name the folder of recordings, then the folder for what is found}
found=${2:?name the folder for what is found}
shift 2

# The array begins at 1, so that a task is the part of its number.
shard=${SLURM_ARRAY_TASK_ID:?run this by sbatch, with --array=1-N}
n_shards=${SHARDS:-${SLURM_ARRAY_TASK_COUNT:?run this by sbatch, with --array=1-N}}
out=$found/shard-$(printf %04d "$shard")
mkdir -p "$out"
# What a task has done it notes here, so that it goes on there when it is done again, on any machine.
export XDG_STATE_HOME="$out/state"

status=0
"${TRIPWORD:-tripword}" label "$archive" --json --resume --shard "$shard/$n_shards" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
  --format audacity --out "$out/labels" --catalogue "$out/found.sqlite" "$@" >"$out/events.jsonl.part" || status=$?
# 3: some recordings cannot be read, which the catalogue tells; the others are done.
case $status in
  0 | 3)
    mv "$out/events.jsonl.part" "$out/events.jsonl"
    rm -r "$XDG_STATE_HOME"
    ;;
  *) exit "$status" ;;
esac
