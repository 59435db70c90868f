"""Run xtr as `python -m xtr`."""

from xtr.cli import main

main()
