"""``python -m corsproxy``: the same as the console script."""

from corsproxy.cli.main import main

if __name__ == "__main__":
    main()
