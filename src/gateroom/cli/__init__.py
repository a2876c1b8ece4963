"""The `gateroom` command, one file for each of its commands."""
