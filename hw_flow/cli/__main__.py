"""``python -m hw_flow.cli``, the same as ``bitwright``."""

from hw_flow.cli.entry import main

if __name__ == "__main__":
    main()
