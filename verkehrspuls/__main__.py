"""`python -m verkehrspuls` is the command `verkehrspuls`."""

from verkehrspuls.cli.command import main

if __name__ == "__main__":
    main()
