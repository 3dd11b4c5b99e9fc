"""`python -m fakeinstruct` is the command line."""

from fakeinstruct.cli.main import run

if __name__ == "__main__":
    run()
