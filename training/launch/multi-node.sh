#!/usr/bin/env bash
# A run on several machines without a scheduler: start this on each of them, with the same arguments, in the
# environment that fakeinstruct is installed in. The run's folder and the images must lie under the same path on all.
#
#   fakeinstruct train RECIPE pairs=PAIRS out=RUN hardware.processes=16 --prepare   once, anywhere
#   training/launch/multi-node.sh RUN 2 first-machine:29500                      on each of the two
#
# GPUS is the number of processes on this machine: all of its GPUs, or one process where there are none.
# PYTHON is the environment's interpreter; python without it.
set -euo pipefail
run=${1:?the folder of a prepared run}
machines=${2:?the number of machines}
meet=${3:?where they meet, HOST:PORT of the first machine}
python=${PYTHON:-python}
if [ ! -f "$run/run.json" ]; then
  echo "$run is not a prepared run: it has no run.json" >&2
  exit 2
fi
if ! "$python" -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("fakeinstruct") and u.find_spec("torch")))'; then
  echo "$python has no fakeinstruct or no torch: activate the environment first, or set PYTHON" >&2
  exit 2
fi
if [ -z "${GPUS:-}" ]; then
  GPUS=$({ nvidia-smi --list-gpus 2>/dev/null || true; } | wc -l)
  [ "$GPUS" -gt 0 ] || GPUS=1
fi
exec "$python" -m torch.distributed.run --nnodes "$machines" --nproc_per_node "$GPUS" \
  --rdzv_id "$(basename "$run")" --rdzv_backend c10d --rdzv_endpoint "$meet" \
  -m fakeinstruct.expert.process "$run"
