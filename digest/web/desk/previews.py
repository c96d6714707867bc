"""The edition as it will arrive, in every dress a mail client may put on it.

`/mail` is the mail itself, for a frame that can do nothing; `/preview` is the page around it. Looking changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from digest import previewing, staff
from digest.batches import Reader
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition
from digest.personas import PERSONAS, SAMPLE
from digest.previewing import Preview, Share
from digest.rendering import glance
from digest.rendering.html_finish import HTML_BLOCKS
from digest.rendering.simulations import LIGHT, SIMULATIONS
from digest.web import forms
from digest.web.desk.shell import desk_page
from digest.web.pages import environment, services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor, Visitor, as_a_mail, with_frames
from subscribers import addresses
from subscribers.models import Subscriber
from subscribers.texts import one_line

router = APIRouter()

VIEWS = {"html": "HTML", "text": "Text part", "row": "Inbox row", "source": "Source"}
AS_SENT = "sent"
AS_SENT_WORDS = "No simulation: the bytes that go out, in light or dark as your own machine is set."
DARK = frozenset({"dark", "forced-dark", "outlook-dark"})
SHOWN_OF_HASH = 12
LONGEST_ID = 18
"""Digits. Longer ones are no number of anybody's, and too long for a database."""

GONE = "Nobody here has that number. They may have been erased."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see, as it stands in an address. `variant` "": the one this reader gets."""

    variant: str = ""
    reader: str = ""
    persona: str = ""
    view: str = "html"
    simulation: str = ""

    def at(self, path: str, **changes: str) -> str:
        """The address of the same with changes. Only what differs from the ordinary stands in it."""
        found = dataclasses.replace(self, **changes)
        query = {field.name: getattr(found, field.name) for field in dataclasses.fields(Wanted)}
        query["as"] = query.pop("simulation")
        said = {name: value for name, value in query.items() if value and (name, value) != ("view", "html")}
        return f"{path}?{urlencode(said)}" if said else path


def wanted(
    variant: str = "",
    reader: str = "",
    persona: str = "",
    view: str = "html",
    simulation: Annotated[str, Query(alias="as")] = "",
) -> Wanted:
    """Raises HTTPException 404 for what there is not."""
    if view not in VIEWS:
        raise HTTPException(404, f"There is no such view of a mail; there are {', '.join(VIEWS)}.")
    if simulation not in {"", AS_SENT, *SIMULATIONS}:
        raise HTTPException(404, f"There is no such simulation; there are {', '.join(SIMULATIONS)}.")
    if persona not in {"", *PERSONAS}:
        raise HTTPException(404, f"There is no such sample reader; there are {', '.join(PERSONAS)}.")
    return Wanted(variant, reader, persona, view, simulation)


Asked = Annotated[Wanted, Depends(wanted)]


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom the mail is filled in, and in which variant. `theirs` is the one they get; `person` None: a sample."""

    reader: Reader
    variant: str
    theirs: str
    person: Subscriber | None


# — the mail —


@router.get("/desk/{week}/mail", dependencies=[Depends(as_a_mail)])
def mail(request: Request, visitor: Editor, week: str, asked: Asked) -> Response:  # noqa: ARG001
    """One variant for one reader: exactly as sent, or in one simulation. Renders nothing else."""
    services = services_of(request)
    with services.database.reading() as session:
        edition = edition_of(session, week)
        whom = _whom(session, edition, services, asked)
        try:
            found = previewing.preview(session, edition, services, variant=whom.variant, reader=whom.reader)
        except DigestError as problem:
            status = 404 if isinstance(problem, previewing.NoSuchVariant) else 409
            return _sheet("problem", asked, status=status, problem=str(problem))
    answer = _shown(found, asked)
    answer.headers["X-Rendering-SHA256"] = found.rendering.sha256
    return answer


def _shown(found: Preview, asked: Wanted) -> Response:
    if asked.view == "row":
        return _sheet("row", asked, rows=_rows(found), size=len(found.subject))
    if asked.view == "source":
        return _sheet("source", asked, lines=(found.html or found.text).split("\n"))
    if asked.view == "text" or found.html is None:
        return _sheet("text", asked, text=found.text)
    simulation = SIMULATIONS.get(asked.simulation)
    return HTMLResponse(simulation.rewrite(found.html) if simulation else found.html)


def _rows(found: Preview) -> list[glance.Row]:
    return glance.rows(sender=found.paper.sender.name, subject=found.subject, html=found.html, text=found.text)


def _sheet(kind: str, asked: Wanted, *, status: int = 200, **values: object) -> Response:
    """Anything but the HTML of the mail, on a small page that carries its styles: `desk/mail/{kind}.html`."""
    html = environment().get_template(f"desk/mail/{kind}.html").render(scheme=_scheme(asked.simulation), **values)
    return HTMLResponse(html, status_code=status)


def _scheme(simulation: str) -> str:
    """In which colours a client would stand around the mail; both where it is as the machine is set."""
    if simulation in {"", AS_SENT}:
        return "light dark"
    return "dark" if simulation in DARK else "light"


# — for whom —


def _whom(session: Session, edition: Edition, services: Services, asked: Wanted) -> Whom:
    """Raises HTTPException 404 for a reader there is not."""
    if not asked.reader:
        persona = PERSONAS[asked.persona or SAMPLE.key]
        reader = previewing.made_up(persona, now=datetime.now(UTC))
        theirs = "all-text" if persona.plain_text else "all"
        return Whom(reader, asked.variant or theirs, theirs, None)
    person = _person(session, asked.reader)
    reader = previewing.without_links(previewing.reader_of(person))
    theirs = previewing.variant_for(session, edition, services, person)
    return Whom(reader, asked.variant or theirs, theirs, person)


def _person(session: Session, number: str) -> Subscriber:
    is_number = number.isascii() and number.isdecimal() and len(number) <= LONGEST_ID
    person = session.get(Subscriber, int(number)) if is_number else None
    if person is None:
        raise HTTPException(404, GONE)
    return person


# — the page around it —


@router.get("/desk/{week}/preview", dependencies=[Depends(with_frames)])
def show(request: Request, visitor: Editor, week: str, asked: Asked) -> Response:
    """The mail at the widths of a desk and of a phone, with switches."""
    return _page(request, visitor, week, asked)


@router.post("/desk/{week}/preview", dependencies=[Depends(with_frames)])
def look_up(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """Find a subscriber by address, so that no address stands in the address of a page. Changes nothing."""
    given = one_line(forms.word(form, "email"))
    asked = wanted(view=forms.word(form, "view") or "html", simulation=forms.word(form, "as"))
    try:
        with services_of(request).database.reading() as session:
            edition = edition_of(session, week)
            person = previewing.find(session, given)
    except addresses.BadAddress as why:
        return _page(request, visitor, week, asked, status=422, given=given, wrong=str(why))
    except previewing.NotASubscriber as why:
        return _page(request, visitor, week, asked, status=404, given=given, wrong=str(why))
    return RedirectResponse(asked.at(f"/desk/{edition.week}/preview", reader=str(person.id)), status_code=303)


def _page(
    request: Request,
    visitor: Visitor,
    week: str,
    asked: Wanted,
    *,
    status: int = 200,
    given: str = "",
    wrong: str | None = None,
) -> Response:
    services = services_of(request)
    asked = dataclasses.replace(asked, simulation=asked.simulation or LIGHT)
    found, problem, why_not = None, None, None
    with services.database.reading() as session:
        edition = edition_of(session, week)
        names = staff.names(session)
        whom = _whom(session, edition, services, asked)
        shares = previewing.shares(session, edition, services)
        try:
            found = previewing.preview(session, edition, services, variant=whom.variant, reader=whom.reader)
        except previewing.NoSuchVariant as why:
            raise HTTPException(404, str(why)) from None
        except DigestError as why:
            problem, status = str(why), 409
        if whom.person is not None:
            why_not = previewing.why_not(session, edition, services, whom.person, datetime.now(UTC))
    view = "text" if found and found.html is None and asked.view == "html" else asked.view
    # Only the mail's own HTML is dressed: all else is shown as the editor's machine is set.
    dress = asked.simulation if view == "html" and asked.simulation != AS_SENT else ""
    simulation = SIMULATIONS.get(dress)
    return desk_page(
        request,
        visitor,
        edition,
        "preview.html",
        names=names,
        status=status,
        problem=problem,
        found=found,
        asked=asked,
        view=view,
        views=VIEWS,
        dress=dress,
        scheme=_scheme(dress),
        simulations=SIMULATIONS.values(),
        shown_as=simulation.words if simulation else AS_SENT_WORDS,
        is_simulation=simulation is not None,
        personas=PERSONAS.values(),
        whom=whom,
        why_not=why_not,
        shares=shares,
        share=_share_of(shares, whom.variant),
        links=glance.links(found.html, found.text) if found else [],
        rows=_rows(found) if found else [],
        limit=HTML_BLOCKS,
        short=SHOWN_OF_HASH,
        given=given,
        wrong=wrong,
        page_path=f"/desk/{edition.week}/preview",
        mail_path=f"/desk/{edition.week}/mail",
    )


def _share_of(shares: Sequence[Share], variant: str) -> Share | None:
    return next((share for share in shares if share.key == variant), None)
