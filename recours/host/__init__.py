"""This machine: locations and permissions of files, the log, the terminal, and the installation."""
