"""`python -m verkehrspuls` is the command `verkehrspuls`."""

from verkehrspuls.cli import main

if __name__ == "__main__":
    main()
