#!/usr/bin/env bash
# A run on several machines under Slurm. The run's folder must lie on a file system that all of them share.
#
#   fakeinstruct train RECIPE pairs=PAIRS out=RUN --prepare
#   sbatch --nodes 2 --gpus-per-node 8 training/launch/slurm.sh RUN
#
#SBATCH --job-name=fakeinstruct
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
set -euo pipefail
run=${1:?the folder of a prepared run}
host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc_per_node "${SLURM_GPUS_PER_NODE:-8}" \
  --rdzv_id "$SLURM_JOB_ID" --rdzv_backend c10d --rdzv_endpoint "$host:29500" \
  -m fakeinstruct.expert.process "$run"
