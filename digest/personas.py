"""Readers nobody knows: people made up to see how an edition reads to each kind of reader. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Persona:
    """One made-up reader. `basis` None: they pressed the button themselves."""

    key: str
    words: str
    name: str | None = None
    basis: str | None = None
    plain_text: bool = False


SAMPLE = Persona("sample", "An ordinary reader", name="Sample Reader")
PERSONAS: Mapping[str, Persona] = {
    each.key: each
    for each in (
        SAMPLE,
        Persona("nameless", "A new reader who gave no name"),
        Persona(
            "long-name",
            "A name longer than its place",
            name="Johannes Chrysostomus Wolfgangus Theophilus Mozart, Esquire, of Getreidegasse 9 in Salzburg",
        ),
        Persona("right-to-left", "A name that reads from right to left", name="ליאור בן־דוד"),
        Persona("markup", "A name with markup in it", name='<b>Bobby</b> & "{{7*7}}" <script>alert(1)</script>'),
        Persona("text-only", "A reader of plain text", name="Tess Plainly", plain_text=True),
        Persona(
            "monthly",
            "A monthly reader, imported with a basis",
            name="Monty",
            basis="you asked for the monthly letter of our earlier newsletter in 2024",
        ),
    )
}
