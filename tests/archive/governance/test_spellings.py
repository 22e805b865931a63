"""Every spelling of a number is found, in columns and in what people say; other numbers are not."""

from __future__ import annotations

import random
import time

import pytest

from replicator.archive.governance.spellings import Spelling, digit_runs, plain, spelling
from replicator.errors import ConfigurationError

pytestmark = pytest.mark.pure

BERLIN = spelling("+49 30 5550 1234")
WASHINGTON = spelling("+1 202 555 0123")

WRITTEN = (
    "+493055501234", "493055501234", "00493055501234", "0049 30 5550 1234", "+49 (0)30 5550-1234", "+49 (30) 5550 1234",
    "030 55501234", "(030) 5550-1234", "030/55501234", "+49.30.5550.1234", "011 49 30 5550 1234", "+49\u00a030\u00a055501234",
    "tel:+493055501234", "sip:+493055501234@10.0.0.1:5060", "sip:+493055501234@example.com;user=phone",
)  # fmt: skip
SAID = (
    "plus four nine three zero five five five zero one two three four",
    "Plus Four Nine, three zero, five five five, oh one two three four.",
    "it's zero four nine ... no: plus four nine, uh, three zero, triple five zero, um, one two three four",
    "plus vier neun drei null fünf fünf fünf null eins zwei drei vier",
    "double zero four nine three zero five double five zero one two three four",
    "cuatro nueve tres cero cinco cinco cinco cero uno dos tres cuatro",
    "my number is 0 3 0, and then 555, and then oh one, two three four, please",
    "zero thirty five fifty-five zero twelve thirty-four",
    "four nine\nthree zero\n555\n0 1 2 3 4",
    '{"speaker": "contact", "text": "four nine three zero"}, {"speaker": "contact", "text": "5550 1234"}',
    "\u0660\u0663\u0660 \u0665\u0665\u0665\u0660 \u0661\u0662\u0663\u0664",
)
OTHERS = (
    "+493055501235", "493055501", "4930555012345", "14930555012340", "order 9949305550123499", "030 5550123",
    "four nine three zero five five five zero one two three", "",
    "We have 49 agents. At 30 past 5 I called 5 times, spoke 5 minutes, 0 errors in 12 of 34 cases",
    "49 30 and my birthday is the 5th of May, house 5, flat 5 01234",
)  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_a_written_number_is_found_in_columns_and_texts(text: str) -> None:
    """Whatever stands between the digits or before them."""
    assert BERLIN.is_in_column(text)
    assert BERLIN.is_in_text(f"please call {text} today")


@pytest.mark.parametrize("text", SAID)
def test_a_spoken_number_is_found(text: str) -> None:
    """As words of seven languages, with fillers, double digits and pairs, and over several lines."""
    assert BERLIN.is_in_text(text)


@pytest.mark.parametrize("text", OTHERS)
def test_other_numbers_are_not_found(text: str) -> None:
    """Neither shorter nor longer ones, nor digits of different sentences."""
    assert not BERLIN.is_in_column(text)
    assert not BERLIN.is_in_text(text)


def test_a_number_without_leading_zero_needs_its_area() -> None:
    """Ten digits of a country without leading zeros are enough; seven are not looked for."""
    assert WASHINGTON.is_in_text("call two oh two, five five five, oh one two three")
    assert WASHINGTON.is_in_text("(202) 555-0123")
    assert WASHINGTON.is_in_text("1-202-555-0123")
    assert not WASHINGTON.is_in_text("555-0123")


def test_random_spellings_are_all_found() -> None:
    """2,000 random numbers, each written at random: every one is found, and none of another number."""
    chance = random.Random(7)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    missed = wrong = 0
    for _ in range(2000):
        number = (
            chance.choice(["49", "1", "44", "353"])
            + str(chance.randint(2, 9))
            + "".join(chance.choices("0123456789", k=9))
        )
        other = number[:-1] + str((int(number[-1]) + 1) % 10)
        shown = []
        for digit in number:
            shown += [
                words[int(digit)] if chance.random() < 0.5 else digit,
                chance.choice([" ", "-", ". ", ", uh, ", " (", ""]),
            ]
            if shown[-1] == "" and shown[-2] in words:
                shown.append(" ")
        text = f"well it is {''.join(shown)} thank you"
        missed += not spelling(f"+{number}").is_in_text(text)
        wrong += spelling(f"+{other}").is_in_text(text)
    assert (missed, wrong) == (0, 0)


def test_false_hits_are_as_rare_as_is_said() -> None:
    """In 60,000 random digits, spoken one by one, numbers of 12 and 11 digits are not found."""
    chance = random.Random(3)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    hits = 0
    for _ in range(20):
        text = " ".join(chance.choices(words, k=3000))
        hits += BERLIN.is_in_text(text) + WASHINGTON.is_in_text(text)
    assert hits == 0


@pytest.mark.slow
def test_no_text_makes_it_slow() -> None:
    """A text of nothing but words that may be digits, as an attacker would write it, takes time in proportion to its length."""

    def seconds(text: str) -> float:
        began = time.process_time()
        assert not spelling("+10000000000007").is_in_text(text)
        BERLIN.is_in_text(text)
        return time.process_time() - began

    for text in ("oh ", "0 ", "one oh ", "double ", "4 9 3 0 5 5 5 0 1 2 3 "):
        short = min(seconds(text * 300) for _ in range(3))
        assert seconds(text * 2400) < 24 * short + 0.05


@pytest.mark.parametrize("text", ["030 5550 1234", "98761", "anonymous", "", "+49 30 CALL NOW", "1" * 16, "abc@"])
def test_what_is_no_number_is_refused_without_repeating_it(text: str) -> None:
    """A number without its country, a word that many callers share, and too few or too many digits."""
    with pytest.raises(ConfigurationError) as refused:
        spelling(text)
    assert not text or text not in refused.value.explain()


@pytest.mark.parametrize(
    "text", ["7025550197", "(702) 555-0197", "702.555.0197", "17025550197", "tel:7025550197", "sip:7025550197@host", "93 555 01 97 55+"]
)  # fmt: skip
def test_a_number_without_its_country_is_not_taken_for_one_of_another(text: str) -> None:
    """Read as international, (702) 555-0197 would be of country 7: it finds nothing, and looks as if there were nothing."""
    with pytest.raises(ConfigurationError, match="without \\+ and its country's code") as refused:
        spelling(text)
    assert text not in refused.value.explain()


@pytest.mark.parametrize(
    "text",
    ["+17025550197", " (+1) 702 555 0197", "001 702 555 0197", "011 1 (702) 555-0197", "tel:+1-702-555-0197", "\uff0b17025550197",
     "sip:+17025550197@10.0.0.1", "SIP:0017025550197@host"],
)  # fmt: skip
def test_an_international_number_is_read(text: str) -> None:
    assert spelling(text) == Spelling("1", "7025550197")


def test_an_address_is_compared_as_it_is() -> None:
    """An address that is no number is found in columns and texts, in capitals too."""
    address = spelling("SIP:Alice@example.com")
    assert address.is_in_column("sip:alice@example.com")
    assert address.is_in_text("to sip:alice@EXAMPLE.com now")
    assert not address.is_in_column("sip:bob@example.com")
    assert not address.is_in_text("sip:alice@example.community")


def test_a_column_has_one_plain_form() -> None:
    """It is what the keyed hash of a suppressed number is made from."""
    assert {plain(text) for text in WRITTEN} <= set(BERLIN.forms)
    assert plain(" Anonymous ") == "anonymous"
    assert digit_runs("oh 12") == [("a12", frozenset({0, 1}))]
