"""The entry point of `python -m slmroute_plugin`, which is the command `slmroute`."""

from slmroute_plugin.cli import app

if __name__ == "__main__":
    app(prog_name="slmroute")
