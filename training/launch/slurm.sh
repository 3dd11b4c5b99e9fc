#!/usr/bin/env bash
# A run on one or several machines under Slurm. The run's folder and the images must lie on a file system that all
# machines share. Submit it from the environment that fakeinstruct is installed in, which Slurm hands on.
#
#   fakeinstruct train RECIPE pairs=PAIRS out=RUN hardware.processes=16 --prepare
#   sbatch --nodes 2 --gpus-per-node 8 training/launch/slurm.sh RUN
#
# A job that was ended goes on from its last complete checkpoint when it is submitted again, on as many GPUs.
# PYTHON is the environment's interpreter; python without it.
#SBATCH --job-name=fakeinstruct-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
set -euo pipefail
run=${1:?the folder of a prepared run}
python=${PYTHON:-python}
: "${SLURM_JOB_NODELIST:?start it with sbatch}"
if [ ! -f "$run/run.json" ]; then
  echo "$run is not a prepared run: it has no run.json" >&2
  exit 2
fi
if ! "$python" -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("fakeinstruct") and u.find_spec("torch")))'; then
  echo "$python has no fakeinstruct or no torch: activate the environment before sbatch, or set PYTHON" >&2
  exit 2
fi
gpus=${SLURM_GPUS_PER_NODE:-8} # 8, h100:8, or gpu:h100:8(S:0-1)
gpus=${gpus%%(*}
gpus=${gpus##*:}
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
host=${hosts%%$'\n'*}
srun "$python" -m torch.distributed.run --nnodes "$SLURM_NNODES" --nproc_per_node "$gpus" \
  --rdzv_id "$SLURM_JOB_ID" --rdzv_backend c10d --rdzv_endpoint "$host:${PORT:-29500}" \
  -m fakeinstruct.expert.process "$run"
