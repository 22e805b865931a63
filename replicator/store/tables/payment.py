"""The tables of schema archive about payment data and about the notice that a call is recorded: rules that people edit,
and what was found, without any digit of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from replicator.store.tables.base import Instant, metadata, now

payment_rules = sa.Table(
    "payment_rules",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # What the rule is for: archive/payment/payment_rules.py says what each word means.
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("matches", sa.Text, nullable=False),
    sa.Column("prefixes", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("lengths", ARRAY(sa.Integer), nullable=False, server_default="{}"),
    sa.Column("words", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("is_on", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.CheckConstraint(
        "kind in ('issuer', 'form', 'card_words', 'other_words', 'security_code', 'expiry')", name="kind"
    ),
    sa.CheckConstraint(
        "kind <> 'issuer' OR (cardinality(prefixes) > 0 AND cardinality(lengths) > 0 AND 12 <= ALL (lengths) AND 19 >= ALL (lengths) "
        r"AND array_to_string(prefixes, ' ') ~ '^[0-9]{1,6}(-[0-9]{1,6})?( [0-9]{1,6}(-[0-9]{1,6})?)*$')",
        name="issuer",
    ),
    schema="archive",
)

payment_findings = sa.Table(
    "payment_findings",
    metadata,
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("call_id", UUID, primary_key=True),
    # segment, transcript_summary, summary or context.
    sa.Column("place", sa.Text, primary_key=True),
    # Of the segment; 0 elsewhere.
    sa.Column("position", sa.Integer, primary_key=True),
    # Characters of the text, the first is 0; 0 to 0 where they were taken out before the text was stored. Views hide those before masked_end_offset.
    sa.Column("start_offset", sa.Integer, primary_key=True),
    sa.Column("end_offset", sa.Integer, primary_key=True),
    sa.Column("masked_end_offset", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("found_at", Instant, nullable=False, server_default=now()),
    sa.CheckConstraint("kind in ('card_number', 'security_code', 'expiry')", name="kind"),
    sa.CheckConstraint("place in ('segment', 'transcript_summary', 'summary', 'context')", name="place"),
    schema="archive",
)

# How far the calls were looked at that were stored while the archive was off, and by which rules.
payment_scans = sa.Table(
    "payment_scans",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("rules_sha256", sa.Text, nullable=False),
    sa.Column("after_call_id", UUID),
    sa.Column("calls", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("finished_at", Instant),
    schema="archive",
)

disclosure_rules = sa.Table(
    "disclosure_rules",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, nullable=False),
    # Words in any case; % stands for up to 60 characters of other text.
    sa.Column("pattern", sa.Text, nullable=False),
    sa.Column("most_seconds", sa.Integer, nullable=False, server_default="60"),
    sa.Column("most_segments", sa.Integer, nullable=False, server_default="6"),
    sa.Column("is_on", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.CheckConstraint("least(most_seconds, most_segments) > 0", name="most"),
    schema="archive",
)

# A call in which the notice was found. A call with a transcript and without a row has none.
disclosures = sa.Table(
    "disclosures",
    metadata,
    sa.Column("call_id", UUID, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    schema="archive",
)
