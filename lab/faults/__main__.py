"""`python -m lab.faults`: see lab.faults.cli."""

from lab.faults.cli import main

if __name__ == "__main__":
    main()
