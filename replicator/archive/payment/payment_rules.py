"""The rules by which payment data is found in text: the shipped rows of archive.payment_rules, and their compiled form.

Each row can be switched off, and rows can be added: an issuer is a row with prefixes and lengths, a prompt is a row
with words. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


_BLANK = r"\s{1,3}"


class RuleKind(StrEnum):
    """What a rule is for."""

    ISSUER = "issuer"
    """Card numbers of one scheme: they begin with one of `prefixes`, and have one of `lengths`."""
    FORM = "form"
    """A way in which numbers are said or written; the program knows each by its name."""
    CARD_WORDS = "card_words"
    """Words after which a number is probably a card number, so less order is asked of it."""
    OTHER_WORDS = "other_words"
    """Words after which a number is something else."""
    SECURITY_CODE = "security_code"
    """Words that ask for the three or four digits of a security code."""
    EXPIRY = "expiry"
    """Words that ask for the month in which a card expires."""


class PaymentData(StrEnum):
    """What is done with the text in which payment data was found (REPLICATOR_ARCHIVE_PAYMENT_DATA)."""

    KEEP = "keep"
    """It is stored and sealed as it came, and masked in the views."""
    MASK = "mask"
    """Card numbers, security codes and expiry months are replaced by marks before it is stored and sealed."""
    DROP_TRANSCRIPT = "drop-transcript"
    """No text of a transcript with payment data is stored."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of archive.payment_rules. `prefixes` are digits (`34`) or ranges of them (`51-55`); `words` are words or
    phrases in any case.
    """

    name: str
    kind: RuleKind
    matches: str
    prefixes: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    is_on: bool = True


def _issuer(name: str, prefixes: str, lengths: Sequence[int], *, is_on: bool = True, matches: str = "") -> Rule:
    return Rule(
        name, RuleKind.ISSUER, matches or f"card numbers that begin as those of {name} do", tuple(prefixes.split()),
        tuple(lengths), is_on=is_on,
    )  # fmt: skip


def _words(name: str, kind: RuleKind, matches: str, words: str) -> Rule:
    return Rule(name, kind, matches, words=tuple(word.strip() for word in words.split(",")))


SHIPPED = (
    _issuer("visa", "4", (16, 19)),
    _issuer("visa_13", "4", (13,), is_on=False, matches="Visa numbers of 13 digits, which are no longer issued; article "
            "numbers (EAN) look the same"),
    _issuer("mastercard", "51-55 2221-2720", (16,)),
    _issuer("american_express", "34 37", (15,)),
    _issuer("diners_club", "300-305 3095 36 38-39", (14, 16)),
    _issuer("discover", "6011 644-649 65", (16, 19)),
    _issuer("jcb", "3528-3589", (16, 17, 18, 19)),
    _issuer("unionpay", "62 81", (16, 17, 18, 19)),
    _issuer("maestro", "5018 5020 5038 5893 6304 6759 6761-6763", (12, 13, 14, 15, 16, 17, 18, 19)),
    _issuer("mir", "2200-2204", (16, 17, 18, 19)),
    _issuer("rupay", "508 60 82 353 356", (16,)),
    _issuer("elo", "401178-401179 431274 438935 451416 457393 504175 506699-506778 509000-509999 627780 636297 636368", (16,)),
    _issuer("troy", "9792", (16,)),
    _issuer("verve", "506099-506198 507865-507964", (16, 18, 19)),
    _issuer("dankort", "5019 4571", (16,)),
    Rule("digits", RuleKind.FORM, "numbers written in digits, in groups or not"),
    Rule("words_en", RuleKind.FORM, "English number words: four one, forty-one, double four, triple oh"),
    Rule("words_de", RuleKind.FORM, "German number words: vier eins, einundvierzig, doppel vier"),
    Rule("words_es", RuleKind.FORM, "Spanish number words: cuatro uno, cuarenta y uno, doble cuatro"),
    Rule("over_segments", RuleKind.FORM, "numbers spread over several segments of one speaker, with short segments of "
         "the other between them"),
    _words("card_words", RuleKind.CARD_WORDS, "words for a card or a scheme before the number",
           "card, cards, credit card, debit card, card number, visa, mastercard, amex, american express, maestro, "
           "long number, sixteen digit, 16 digit, karte, kreditkarte, kartennummer, kreditkartennummer, tarjeta"),
    _words("other_words", RuleKind.OTHER_WORDS, "words for another number before it",
           "tracking, shipment, parcel, order, invoice, reference, ticket, case, serial, iban, routing, account number, "
           "imei, iccid, sim, isbn, ean, barcode, phone, telephone, call me at, mobile, meter, policy, passport, vin, "
           "customer number, member number, booking, sendungsnummer, bestellnummer, bestellung, rechnungsnummer, "
           "rechnung, kundennummer, kontonummer, telefonnummer, telefon, handynummer, vorgangsnummer, seriennummer, "
           "pedido, factura, referencia, seguimiento, teléfono, telefono, móvil, movil, número de cuenta"),
    _words("security_code", RuleKind.SECURITY_CODE, "words for the security code of a card",
           "cvv, cvv2, cvc, cvc2, csc, cid code, card security code, card verification code, security code, "
           "verification number on the back, three digits on the back, 3 digits on the back, three digit code, "
           "three digits on the reverse, four digits on the front, last three digits on the back, digits on the back, "
           "prüfnummer, pruefnummer, prüfziffer, sicherheitscode, kartenprüfnummer, drei ziffern auf der rückseite, "
           "código de seguridad, codigo de seguridad, tres dígitos, tres digitos"),
    _words("expiry", RuleKind.EXPIRY, "words for the month in which a card expires",
           "expiry, expiry date, expiration, expiration date, expires, expire, expiring, exp, exp date, valid until, "
           "valid thru, valid through, good through, good thru, gültig bis, gueltig bis, ablaufdatum, läuft ab, "
           "verfallsdatum, gültigkeit, vencimiento, caduca, caducidad, vence, válida hasta, valida hasta"),
)  # fmt: skip


PROMPTS = (RuleKind.SECURITY_CODE, RuleKind.EXPIRY, RuleKind.CARD_WORDS, RuleKind.OTHER_WORDS)
"""Rules of words that say what a number is; where two begin at the same place, the first of these counts."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Card numbers whose first six digits, as a number, lie from `low` to `high`."""

    name: str
    low: int
    high: int
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """The rules that are on. Compiled when they are first needed."""

    rows: tuple[Rule, ...] = field(default=SHIPPED)

    @classmethod
    def of(cls, rows: Iterable[Rule]) -> Rules:
        return cls(tuple(rows))

    @cached_property
    def issuers(self) -> Mapping[int, tuple[Issuer, ...]]:
        """The issuers by their first digit, the narrowest first."""
        found: dict[int, list[Issuer]] = {}
        for rule in self._on(RuleKind.ISSUER):
            for prefix in rule.prefixes:
                first, _, last = prefix.partition("-")
                low, high = int(first.ljust(6, "0")), int((last or first).ljust(6, "9"))
                for digit in range(low // 100_000, high // 100_000 + 1):
                    found.setdefault(digit, []).append(Issuer(rule.name, low, high, tuple(sorted(rule.lengths))))
        return {digit: tuple(sorted(some, key=lambda one: one.high - one.low)) for digit, some in found.items()}

    @cached_property
    def forms(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self._on(RuleKind.FORM))

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages whose number words are read."""
        return frozenset(form.removeprefix("words_") for form in self.forms if form.startswith("words_"))

    @cached_property
    def prompts(self) -> re.Pattern[str] | None:
        """All words that say what a number is; the group that matched is `RuleKind`'s word. None where there are none."""
        return self._pattern(PROMPTS)

    @cached_property
    def _codes(self) -> re.Pattern[str] | None:
        return self._pattern([RuleKind.SECURITY_CODE])

    def _pattern(self, kinds: Iterable[RuleKind]) -> re.Pattern[str] | None:
        parts = []
        for kind in kinds:
            longest_first = sorted(self._phrases(kind), key=lambda word: (-len(word), word))
            phrases = [_BLANK.join(map(re.escape, word.split())) for word in longest_first]
            if phrases:
                parts.append(f"(?P<{kind.value}>{'|'.join(phrases)})")
        return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)") if parts else None

    @cached_property
    def _prompt_clues(self) -> tuple[str, ...]:
        return self._clues(PROMPTS)

    @cached_property
    def _code_clues(self) -> tuple[str, ...]:
        return self._clues([RuleKind.SECURITY_CODE])

    def asks_for_a_code(self, text: str) -> bool:
        """Say whether a text in lower case holds a prompt for a security code."""
        if self._codes is None or not any(map(text.__contains__, self._code_clues)):
            return False
        return self._codes.search(text) is not None

    def may_prompt(self, text: str) -> bool:
        """Say quickly whether a text in lower case can hold any prompt."""
        return any(map(text.__contains__, self._prompt_clues))

    def _clues(self, kinds: Iterable[RuleKind]) -> tuple[str, ...]:
        """The longest word of each phrase, without those that hold another one. A text without all of them has no phrase,
        whatever marks stand around its words, and that is said in a fraction of the time of the pattern.
        """
        words = {max(words, key=len) for kind in kinds for words in map(str.split, self._phrases(kind))}
        return tuple(sorted(word for word in words if not any(one in word for one in words - {word})))

    def _phrases(self, kind: RuleKind) -> set[str]:
        return {word.strip().lower() for rule in self._on(kind) for word in rule.words if word.strip()}

    def _on(self, kind: RuleKind) -> list[Rule]:
        return [rule for rule in self.rows if rule.is_on and rule.kind == kind]
