"""The real command and the real clock, killed again and again while they hand over an edition.

    python -m tests.crash --kills 500 --database both

Nobody may be handed over twice, nobody may be lost, and the numbers must add up: see `checks`.
"""
