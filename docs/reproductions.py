"""Make the page of reproductions, its table and its figures from finished runs.

infoplane run all --out runs/all          # about two hours on two cores; rerun the command to resume
python docs/reproductions.py runs/all

`run all` skips experiments that need data files: `images` uses the digits only. `saxe-mnist` and `infonet-mnist` need
`infoplane run NAME --data FOLDER --out runs/all/NAME` (the page lists the full commands).

The script writes docs/reproductions.md, docs/results/claims.csv, the summary of each experiment in docs/results, and
the figures of the page. Do not edit these files by hand; docs/what-to-conclude.md interprets the results.
"""

import io
import shutil
import sys
from pathlib import Path

import infoplane as ip
from infoplane.experiments import EXPERIMENTS
from infoplane.experiments.claims import again, table

DOCS = Path(__file__).parent
PICTURES = Path("images/reproductions")


def answered(folder: Path) -> table.Answered:
    """Return the verdicts on the claims for a finished run."""
    ds = ip.load(folder)
    return table.Answered(
        name=folder.name,
        command=again.command(ds, shown=lambda path: Path(path).name),
        verdicts=ip.claims(ds),
        figures=table.pictures(folder),
        purpose=table.purpose(ds),
        place=f"{PICTURES}/{folder.name}",
    )


def keep_pictures(one: table.Answered, folder: Path) -> None:
    """Copy the figures of the page with 64 colors: a third of the size, without a visible difference."""
    from PIL import Image

    place = DOCS / PICTURES / folder.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in {table.picture(one, verdict) for verdict in one.chosen} & set(one.figures):
        small = io.BytesIO()
        Image.open(folder / "figures" / name).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
        (place / name).write_bytes(small.getvalue())


def main(runs: Path) -> None:
    """Write all files from the folder that contains one folder per experiment."""
    folders = [runs / name for name in EXPERIMENTS if (runs / name / "results.nc").exists()]
    pages = [answered(folder) for folder in folders]
    (DOCS / "reproductions.md").write_text(table.to_markdown(pages))
    (DOCS / "results" / "claims.csv").write_text(table.to_csv(pages))
    for one, folder in zip(pages, folders, strict=True):
        keep_pictures(one, folder)
        if (folder / "summary.csv").exists():
            shutil.copy(folder / "summary.csv", DOCS / "results" / f"{folder.name}-summary.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
