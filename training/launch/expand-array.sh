#!/usr/bin/env bash
# An expansion as a job array under Slurm, a part for each task. The folders must lie on a file system that all
# machines share. The task that finishes last writes the manifest; a task that was ended is started again as it was.
#
#   sbatch --array 1-16 training/launch/expand-array.sh CHAINS PAIRS --seed 0 --pairs 20000000
#
#SBATCH --job-name=fakeinstruct-expand
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
set -euo pipefail
chains=${1:?the folder of a chain set}
pairs=${2:?the folder to write to}
shift 2
: "${SLURM_ARRAY_TASK_ID:?start it with sbatch --array 1-N}"
first=${SLURM_ARRAY_TASK_MIN:-1}
if [ "$first" -ne 1 ] || [ "${SLURM_ARRAY_TASK_MAX:?}" -ne "${SLURM_ARRAY_TASK_COUNT:?}" ]; then
  if [ -z "${PARTS:-}" ]; then
    echo "the array must be 1-N; to run some tasks of an array of N again, set PARTS=N" >&2
    exit 2
  fi
fi
status=0
fakeinstruct expand "$chains" --out "$pairs" --shard "$SLURM_ARRAY_TASK_ID/${PARTS:-$SLURM_ARRAY_TASK_COUNT}" \
  --workers "${SLURM_CPUS_PER_TASK:-1}" "$@" || status=$?
[ "$status" -eq 3 ] && status=0 # complete; rejected records are listed
exit "$status"
