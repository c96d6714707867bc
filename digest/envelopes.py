"""The envelope an edition would leave in now, from the settings in force."""

from __future__ import annotations

from digest import audiences
from digest.bootstrap import Services
from digest.proofs import Envelope


def current(services: Services) -> Envelope:
    """What an approval made now would freeze beside the words."""
    settings = services.settings
    return Envelope(
        from_email=settings.from_email,
        from_name=settings.from_name,
        reply_to=settings.reply_to,
        list_id=settings.list_id,
        newsletter_name=settings.digest_newsletter_name,
        postal_address=settings.digest_postal_address,
        site_url=settings.digest_site_url,
        transport=services.transport.kind,
        audience=audiences.definition(settings.digest_timezone),
        key_ids=tuple(services.links.key_ids),
    )
