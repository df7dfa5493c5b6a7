"""Execute every tutorial in notebooks/ in place, from a clean kernel; exit 1 at the first cell that fails."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run the notebooks and write their outputs back (or only check with --check)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="execute, but leave the files as they are")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    args = parser.parse_args()
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    for path in args.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        try:
            resources = {"metadata": {"path": str(path.parent)}}
            NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
        except CellExecutionError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return 1
        for cell in notebook.cells:
            # Warnings of other packages name folders of this machine.
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if not args.check:
            nbformat.write(notebook, path)
        print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells executed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
