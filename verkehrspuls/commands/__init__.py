"""Sub-commands of the kernel: up, doctor and db."""
