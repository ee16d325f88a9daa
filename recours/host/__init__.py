"""The host machine: file locations and permissions, the log, the terminal, and the installation."""
