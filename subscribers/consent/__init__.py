"""The only writer of subscribers and their consent events: each change of consent is a row and its proof, together.

The caller opens the transaction (`Database.writing()`), passes the time, and hands on the letter an outcome owes, in
the same transaction. What may happen is decided in `policy`; nothing here is HTTP or mail.
"""

from subscribers.consent.acts import choose_wishes, confirm, lift, sign_up, suppress, unsubscribe
from subscribers.consent.adding import Added, BroughtIn, Newcomer, NoBasis, add, add_all, bring_in, forecast
from subscribers.consent.erasing import Erased, erase, forget_unconfirmed, refuse, unconfirmed
from subscribers.consent.moving import ask_to_change_address, change_address, forget_changes
from subscribers.consent.outcomes import AddressRefused, Chosen, Outcome
from subscribers.letters import LetterOwed
from subscribers.rows import Gone, Proof

__all__ = [
    "Added",
    "AddressRefused",
    "BroughtIn",
    "Chosen",
    "Erased",
    "Gone",
    "LetterOwed",
    "Newcomer",
    "NoBasis",
    "Outcome",
    "Proof",
    "add",
    "add_all",
    "ask_to_change_address",
    "bring_in",
    "change_address",
    "choose_wishes",
    "confirm",
    "erase",
    "forecast",
    "forget_changes",
    "forget_unconfirmed",
    "lift",
    "refuse",
    "sign_up",
    "suppress",
    "unconfirmed",
    "unsubscribe",
]
