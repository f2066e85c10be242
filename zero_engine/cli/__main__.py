"""`python -m zero_engine.cli`, for launchers that start a module."""

from zero_engine.cli import main

if __name__ == "__main__":
    main()
