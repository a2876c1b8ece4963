"""`python -m gateroom`, and the `gateroom` command."""

from gateroom.cli.main import main

if __name__ == "__main__":
    main()
