#!/usr/bin/env bash
# A run on one or several machines under Slurm. The run's folder and the images must lie on a file system that all
# machines share.
#
#   fakeinstruct train RECIPE pairs=PAIRS out=RUN hardware.processes=16 --prepare
#   sbatch --nodes 2 --gpus-per-node 8 training/launch/slurm.sh RUN
#
# A job that was ended goes on from its last complete checkpoint when it is submitted again, on as many GPUs.
#SBATCH --job-name=fakeinstruct-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
set -euo pipefail
run=${1:?the folder of a prepared run}
: "${SLURM_JOB_NODELIST:?start it with sbatch}"
host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc_per_node "${SLURM_GPUS_PER_NODE:-8}" \
  --rdzv_id "$SLURM_JOB_ID" --rdzv_backend c10d --rdzv_endpoint "$host:${PORT:-29500}" \
  -m fakeinstruct.expert.process "$run"
