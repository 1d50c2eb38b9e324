"""`python -m spikenas`, and the program `spikenas`."""

from spikenas._util.process import set_up


def main() -> None:
    """Run the command line; Ctrl-C is clean from here on, while the commands are imported too."""
    set_up()
    from spikenas.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
