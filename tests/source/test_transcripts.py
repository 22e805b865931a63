"""Transcripts and recordings: every shape seen, in one form."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.errors import SourceError, UnreadableAnswer
from replicator.records import Transcript
from replicator.source.jsontext import canonical, decode, storable
from replicator.source.parsing import parse_recording, parse_transcript
from replicator.source.transcripts import read_contract, read_transcript

if TYPE_CHECKING:
    from replicator.records import Segment

pytestmark = pytest.mark.pure


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first run on a fresh checkout builds Hypothesis's table of all characters."""


def read(data: Any) -> Transcript:
    return parse_transcript(json.dumps({"data": data, "meta": {}}).encode()).value


def received(segment: Segment) -> Any:
    """Return a segment's own JSON: kept, or said by its fields."""
    if segment.raw is None:
        return {"speaker": segment.speaker, "text": segment.text, "timestamp": segment.start_seconds}
    return json.loads(segment.raw, parse_float=Decimal)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({"speaker": "agent", "text": "Hi", "timestamp": 1.5}, ("agent", "Hi", "1.5", None)),
        ({"speaker": "contact", "text": "Yes", "timestamp": 2}, ("contact", "Yes", "2", None)),
        ({"role": "assistant", "text": "Hi", "start": 0.1, "end": 2.25}, ("agent", "Hi", "0.1", "2.25")),
        ({"role": "user", "content": "Hm", "start": 0}, ("contact", "Hm", "0", None)),
        ({"role": "agent", "content": "Hm"}, ("agent", "Hm", None, None)),
        (
            {"role": "MESSAGE_ROLE_AGENT", "text": "Hi", "medium": "MESSAGE_MEDIUM_VOICE", "callStageMessageIndex": 3,
             "timespan": {"start": "1.5s", "end": "3.25s"}},
            ("agent", "Hi", "1.5", "3.25"),
        ),
        ({"role": "MESSAGE_ROLE_USER", "text": "Yes", "timespan": {"start": "0s"}}, ("contact", "Yes", "0", None)),
        ({"role": "MESSAGE_ROLE_TOOL_CALL", "toolName": "x"}, ("tool", "", None, None)),
        ({"speaker": "agent", "text": "Hi", "start": "00:01:05.5", "end": "PT1M6S"}, ("agent", "Hi", "65.5", "66")),
        ({"role": "MESSAGE_ROLE_TOOL_RESULT", "text": "{}"}, ("tool", "{}", None, None)),
        ({"role": "system", "text": "s"}, ("system", "s", None, None)),
        ({"speaker": "Jane", "role": "user", "text": "s"}, ("contact", "s", None, None)),
        ({"speaker": "Supervisor", "text": "s"}, ("Supervisor", "s", None, None)),
        ({"text": "s"}, ("unknown", "s", None, None)),
        ({"speaker": "agent", "text": None, "timestamp": None}, ("agent", "", None, None)),
        ("only words", ("unknown", "only words", None, None)),
    ],
)  # fmt: skip
def test_every_segment_shape_has_one_form(segment: Any, expected: tuple[str, str, str | None, str | None]) -> None:
    """Speaker, text and seconds are found under all names seen, without a problem; the segment's own JSON is kept."""
    transcript = read({"transcript": [segment, {"text": "words"}], "summary": "s"})
    found, _ = transcript.segments
    start, end = (None if text is None else Decimal(text) for text in expected[2:])
    assert (found.speaker, found.text, found.start_seconds, found.end_seconds) == (*expected[:2], start, end)
    assert received(found) == json.loads(json.dumps(segment), parse_float=Decimal)
    assert (transcript.problems, transcript.summary, found.position) == ((), "s", 0)


@pytest.mark.parametrize(
    ("data", "texts", "raw"),
    [
        ({"transcript": [{"text": "a"}, {"text": "b"}], "summary": None}, ["a", "b"], {"summary": None}),
        ({"transcript": "all of it"}, ["all of it"], {}),
        ({"transcript": '[{"text": "a"}, {"text": "b"}]'}, ["a", "b"], {}),
        ('{"transcript": [{"text": "a"}]}', ["a"], {}),
        ({"transcript": "[noise] hello"}, ["[noise] hello"], {}),
        ({"transcript": {"text": "all of it", "language": "en"}}, ["all of it"], {"transcript": {"language": "en"}}),
        ({"transcript": {"messages": [{"text": "a"}]}, "id": 1}, ["a"], {"id": 1}),
        ({"text": "all of it", "n": 1}, ["all of it"], {"n": 1}),
        ([{"text": "a"}], ["a"], {}),
        ("all of it", ["all of it"], {}),
        ({"transcript": []}, [], {}),
        ({"transcript": None, "summary": None}, [], {"transcript": None, "summary": None}),
        ([], [], {}),
        (None, [], {}),
        ({}, [], {}),
    ],
)
def test_every_transcript_shape_has_one_form(data: Any, texts: list[str], raw: Any) -> None:
    """A list, an object, a string or nothing; what came beside the segments is kept in `raw`."""
    transcript = read(data)
    assert [segment.text for segment in transcript.segments] == texts
    assert json.loads(transcript.raw) == raw
    assert transcript.problems == ()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"transcript": [7]}, "segment"),
        ({"transcript": [{"text": {"a": 1}}]}, "segment.text"),
        ({"transcript": [{"text": "a", "timestamp": "noon"}]}, "segment.start_seconds"),
        ({"transcript": [{"text": "a", "end": True}]}, "segment.end_seconds"),
        ({"transcript": [{"text": "a", "speaker": 1}]}, "segment.speaker"),
        ({"transcript": [{"text": "a"}], "summary": ["x"]}, "summary"),
        ({"words": 3}, "transcript"),
        ({"transcript": 3}, "transcript"),
        (3, "transcript"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept(data: Any, problem: str) -> None:
    """No segment is dropped and nothing is lost: odd values are named, and whole in a `raw`."""
    transcript = read(data)
    assert transcript.problems == (problem,)
    everything = transcript.raw + "".join(segment.raw or "" for segment in transcript.segments)
    assert "3" in everything or transcript.segments


@pytest.mark.parametrize(
    "data",
    [
        {"transcript": [{}]}, [{"speaker": "agent", "text": ""}], " ", {"transcript": [{"speaker": "agent", "text": "  "}]},
        {"transcript": " "}, {"transcript": [{"role": "user", "text": None}]}, {"text": "\n"}, "null", ["", " "], [None],
        {"transcript": "[]"}, [{"role": "MESSAGE_ROLE_TOOL_CALL", "toolName": "x"}],
    ],
)  # fmt: skip
def test_segments_without_a_word_are_no_transcript(data: Any) -> None:
    """A placeholder has no segments, so it is asked for again; what it held is kept in `raw`."""
    transcript = read(data)
    assert transcript.segments == ()
    if isinstance(data, list) and data[0]:
        assert json.loads(transcript.raw)["segments"] == data


def test_segments_keep_their_order_and_place() -> None:
    """`position` counts from 0 in the order received, odd ones included."""
    transcript = read({"transcript": [{"text": "a"}, None, {"text": "c"}]})
    assert [(segment.position, segment.text) for segment in transcript.segments] == [(0, "a"), (1, "null"), (2, "c")]


WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.decimals(0, 5000, places=3).map(str), st.floats(-10, 1e12).map(repr), st.integers(-5, 10**20).map(str),
    st.sampled_from(["0", "-0", "0.0000000", "1e3", "0.0000001", "null", '"1.5"', "true"]),
)  # fmt: skip
SPEAKERS = st.sampled_from(["agent", "contact", "tool", "user", "Jane", ""])


@PATIENT
@given(st.lists(st.tuples(SPEAKERS, WORDS, NUMBERS), max_size=4), st.none() | WORDS)
def test_the_contracts_answers_are_read_the_same_both_ways(
    turns: list[tuple[str, str, str]], summary: str | None
) -> None:
    """The quick reader of the contract's answers gives what the reader of every answer gives, or leaves it to that one;
    and what it does not keep is said by the fields, digit by digit.
    """
    shown = [
        f'{{"timestamp": {number}, "speaker": {json.dumps(speaker)}, "text": {json.dumps(text)}}}'
        for speaker, text, number in turns
    ]
    data = f'{{"transcript": [{", ".join(shown)}], "summary": {json.dumps(summary)}}}'.encode()
    stored, has_escapes = storable(data)
    expected, quick = read_transcript(decode(stored)), None if has_escapes else read_contract(stored)
    if quick is not None:
        assert replace(quick, segments=tuple(quick.segments)) == expected
    for segment, text in zip(expected.segments, shown, strict=False):
        if segment.raw is None:
            assert canonical(received(segment)) == canonical(decode(storable(text.encode())[0]))
    usual = all(speaker in {"agent", "contact", "tool"} and number == "1.250" for speaker, _, number in turns)
    if usual and not has_escapes and any(text.strip() for _, text, _ in turns):
        assert quick is not None


def test_the_contracts_answer_is_read_the_quick_way() -> None:
    """Its segments keep no JSON of their own; with one more member, or a text for the number, they do."""
    turn = {"speaker": "agent", "text": "Hi", "timestamp": 0.25}
    assert read({"transcript": [turn], "summary": None}).segments[0].raw is None
    assert isinstance(read_contract(json.dumps({"transcript": [turn], "summary": "s"}).encode()), Transcript)
    for odd in (
        {**turn, "confidence": 1},
        {**turn, "timestamp": "0.25"},
        {**turn, "end": 1},
        {"speaker": "agent", "text": "Hi"},
    ):
        assert read({"transcript": [odd], "summary": None}).segments[0].raw is not None


def test_the_transcripts_fingerprint_is_its_content() -> None:
    """Key order and what stands beside leave it alone; text, summary and unknown fields of a segment do not."""
    base = read({"transcript": [{"speaker": "agent", "text": "a"}], "summary": "s"}).fingerprint
    assert read({"summary": "s", "x": 1, "transcript": [{"text": "a", "speaker": "agent"}]}).fingerprint == base
    assert read_transcript([{"text": "a", "speaker": "agent"}], summary="s").fingerprint == base
    for other in (
        {"transcript": [{"speaker": "agent", "text": "b"}], "summary": "s"},
        {"transcript": [{"speaker": "agent", "text": "a", "confidence": 1}], "summary": "s"},
        {"transcript": [{"speaker": "agent", "text": "a"}], "summary": "t"},
    ):
        assert read(other).fingerprint != base


def test_escapes_in_a_transcript_are_flagged() -> None:
    """NUL in a segment's text is escaped in the text and in its raw."""
    transcript = read({"transcript": [{"text": "a\x00b"}]})
    assert transcript.has_escapes
    assert "\x00" not in transcript.segments[0].text
    assert "\\u0000" not in transcript.segments[0].raw
    assert not read({"transcript": [{"text": "ab"}]}).has_escapes


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"meta": {}}', b'{"data": NaN}', b'{"data": "\xff"}', b'{"data": {"transcript": [']
)
def test_a_broken_transcript_answer_is_unreadable(body: bytes) -> None:
    """Nothing is stored of an answer that cannot be read."""
    with pytest.raises(UnreadableAnswer):
        parse_transcript(body)


@pytest.mark.parametrize(
    ("url", "expires_at"),
    [
        (
            "https://b.s3.amazonaws.com/1.mp3?X-Amz-Date=20260203T120000Z&X-Amz-Expires=3600&X-Amz-Signature=f",
            "13:00:00",
        ),
        ("https://storage.googleapis.com/b/1.mp3?X-Goog-Date=20260203T120000Z&X-Goog-Expires=60", "12:01:00"),
        ("https://cdn.example/1.mp3?Expires=1770120000&Signature=f&Key-Pair-Id=k", "12:00:00"),
        ("https://a.blob.core.windows.net/c/1.wav?sv=2024&se=2026-02-03T12%3A30%3A00Z&sig=f", "12:30:00"),
        ("https://a.blob.core.windows.net/c/1.wav?se=2026-02-03&sig=f", "00:00:00"),
        ("https://audio.example/1.mp3", None),
        ("https://audio.example/1.mp3?Expires=never", None),
        ("https://b.s3.amazonaws.com/1.mp3?X-Amz-Date=2026&X-Amz-Expires=3600", None),
        ("https://b.s3.amazonaws.com/1.mp3?X-Amz-Date=20261303T120000Z&X-Amz-Expires=3600", None),
        ("https://[broken", None),
        ("/files/1.mp3", None),
    ],
)
def test_a_signed_url_says_until_when(url: str, expires_at: str | None) -> None:
    """AWS, Google, CloudFront and Azure signatures are read; another URL has no known end."""
    recording = parse_recording(json.dumps({"data": {"recording_url": url, "format": "mp3"}}).encode()).value
    expected = expires_at and datetime.fromisoformat(f"2026-02-03T{expires_at}+00:00").astimezone(UTC)
    assert (recording.recording_url, recording.url_expires_at) == (url, expected)
    assert json.loads(recording.raw)["format"] == "mp3"


@pytest.mark.parametrize(
    "data", [{"url": "https://a/1.mp3"}, "https://a/1.mp3", {"recording_url": None, "url": "https://a/1.mp3"}]
)
def test_the_url_is_found_under_other_names(data: Any) -> None:
    """`url`, or the bare string, is the recording's URL too."""
    assert parse_recording(json.dumps({"data": data}).encode()).value.recording_url == "https://a/1.mp3"


@pytest.mark.parametrize("data", [None, {}, {"recording_url": None}, {"recording_url": ""}, {"recording_url": 3}, []])
def test_a_recording_without_url_is_unreadable(data: Any) -> None:
    """Without a URL there is nothing to record, and nothing to infer."""
    with pytest.raises(UnreadableAnswer):
        parse_recording(json.dumps({"data": data}).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["transcript", "text", "content", "role", "speaker", "start", "timespan", "summary", "url", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@PATIENT
@given(JSON)
def test_any_answer_reads_or_is_unreadable(data: Any) -> None:
    """No JSON at all makes reading a transcript or a recording raise anything but a SourceError."""
    body = json.dumps({"data": data}).encode()
    transcript = parse_transcript(body).value
    assert [segment.position for segment in transcript.segments] == list(range(len(transcript.segments)))
    assert json.loads(transcript.raw) is not None
    try:
        parse_recording(body)
    except SourceError as error:
        assert error.status == 200  # noqa: PT017
