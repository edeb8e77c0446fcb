"""The portal's younger sister: people are known by the number of their badge, and by nothing else."""
