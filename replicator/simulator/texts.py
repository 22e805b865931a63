"""The texts, names and phone numbers of the simulation: plainly invented, harmless, and the same for the same seed.

Numbers are from the ranges reserved for fiction (+1 AAA 555 01xx); names are of things, not of people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

AGENT_NAMES = ("Orchard Reception", "Harbour Support", "Lantern Bookings", "Meadow Surveys", "Pebble Renewals")
CAMPAIGNS = ("spring-greeting", "renewal-reminder", "feedback-round", "appointment-check")
AREA_CODES = (202, 212, 303, 312, 404, 415, 503, 617, 702, 808)
TOPICS = ("the garden delivery", "a library card", "the bicycle service", "a table for four", "the piano lesson")
ERRORS = ("carrier rejected the call", "number not in service", "trunk temporarily unavailable")
AGENT_LINES = (
    "Hello, this is the synthetic assistant calling about {topic}.",
    "Thank you. May I confirm the day for {topic}?",
    "I have noted that for you.",
    "Let me look that up; one moment, please.",
    "We have a free place on {day} at {hour} o'clock.",
    "Is there anything else about {topic} that I can help with?",
    "Wonderful, I will send a confirmation.",
    "I am an automated voice, and this call is simulated.",
)
CONTACT_LINES = (
    "Hello, yes, speaking.",
    "Yes, {day} sounds good to me.",
    "Could you repeat that, please?",
    "I would rather have it at {hour} o'clock.",
    "No, that is all. Thank you.",
    "What does {topic} include?",
    "Good. Ünïcödé works here too — naïve, 東京, 🎈.",
    "Please call me again on {day}.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def fictional_number(random: Random) -> str:
    """Return an E.164 number from a range reserved for fiction."""
    return f"+1{random.choice(AREA_CODES)}55501{random.randrange(100):02d}"


def line(random: Random, *, of_agent: bool, topic: str) -> str:
    """Return one sentence of a conversation about `topic`."""
    text = random.choice(AGENT_LINES if of_agent else CONTACT_LINES)
    return text.format(topic=topic, day=random.choice(DAYS), hour=random.randrange(8, 18))
