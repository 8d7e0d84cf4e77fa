"""Sub-commands of the kernel: up, doctor, db and bench."""
