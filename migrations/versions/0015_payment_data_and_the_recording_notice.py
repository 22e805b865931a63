"""Payment data and the recording notice: the rules as rows, and where each was found.

No finding holds a digit. The rows of the rules are the shipped ones; those that a user changes or adds stay.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

RULES = """
INSERT INTO archive.payment_rules (name, kind, matches, prefixes, lengths, words, is_on) VALUES
('visa', 'issuer', 'card numbers that begin as those of visa do', '{"4"}', '{16,19}', '{}', true),
('visa_13', 'issuer', 'Visa numbers of 13 digits, which are no longer issued; article numbers (EAN) look the same', '{"4"}', '{13}', '{}', false),
('mastercard', 'issuer', 'card numbers that begin as those of mastercard do', '{"51-55","2221-2720"}', '{16}', '{}', true),
('american_express', 'issuer', 'card numbers that begin as those of american_express do', '{"34","37"}', '{15}', '{}', true),
('diners_club', 'issuer', 'card numbers that begin as those of diners_club do', '{"300-305","3095","36","38-39"}', '{14,16}', '{}', true),
('discover', 'issuer', 'card numbers that begin as those of discover do', '{"6011","644-649","65"}', '{16,19}', '{}', true),
('jcb', 'issuer', 'card numbers that begin as those of jcb do', '{"3528-3589"}', '{16,17,18,19}', '{}', true),
('unionpay', 'issuer', 'card numbers that begin as those of unionpay do', '{"62","81"}', '{16,17,18,19}', '{}', true),
('maestro', 'issuer', 'card numbers that begin as those of maestro do', '{"5018","5020","5038","5893","6304","6759","6761-6763"}', '{12,13,14,15,16,17,18,19}', '{}', true),
('mir', 'issuer', 'card numbers that begin as those of mir do', '{"2200-2204"}', '{16,17,18,19}', '{}', true),
('rupay', 'issuer', 'card numbers that begin as those of rupay do', '{"508","60","82","353","356"}', '{16}', '{}', true),
('elo', 'issuer', 'card numbers that begin as those of elo do', '{"401178-401179","431274","438935","451416","457393","504175","506699-506778","509000-509999","627780","636297","636368"}', '{16}', '{}', true),
('troy', 'issuer', 'card numbers that begin as those of troy do', '{"9792"}', '{16}', '{}', true),
('verve', 'issuer', 'card numbers that begin as those of verve do', '{"506099-506198","507865-507964"}', '{16,18,19}', '{}', true),
('dankort', 'issuer', 'card numbers that begin as those of dankort do', '{"5019","4571"}', '{16}', '{}', true),
('digits', 'form', 'numbers written in digits, in groups or not', '{}', '{}', '{}', true),
('words_en', 'form', 'English number words: four one, forty-one, double four, triple oh', '{}', '{}', '{}', true),
('words_de', 'form', 'German number words: vier eins, einundvierzig, doppel vier', '{}', '{}', '{}', true),
('words_es', 'form', 'Spanish number words: cuatro uno, cuarenta y uno, doble cuatro', '{}', '{}', '{}', true),
('over_segments', 'form', 'numbers spread over several segments of one speaker, with short segments of the other between them', '{}', '{}', '{}', true),
('card_words', 'card_words', 'words for a card or a scheme before the number', '{}', '{}', '{"card","cards","credit card","debit card","card number","visa","mastercard","amex","american express","maestro","long number","sixteen digit","16 digit","karte","kreditkarte","kartennummer","kreditkartennummer","tarjeta"}', true),
('other_words', 'other_words', 'words for another number before it', '{}', '{}', '{"tracking","shipment","parcel","order","invoice","reference","ticket","case","serial","iban","routing","account number","imei","iccid","sim","isbn","ean","barcode","phone","telephone","call me at","mobile","meter","policy","passport","vin","customer number","member number","booking","sendungsnummer","bestellnummer","bestellung","rechnungsnummer","rechnung","kundennummer","kontonummer","telefonnummer","telefon","handynummer","vorgangsnummer","seriennummer","pedido","factura","referencia","seguimiento","teléfono","telefono","móvil","movil","número de cuenta"}', true),
('security_code', 'security_code', 'words for the security code of a card', '{}', '{}', '{"cvv","cvv2","cvc","cvc2","csc","cid code","card security code","card verification code","security code","verification number on the back","three digits on the back","3 digits on the back","three digit code","three digits on the reverse","four digits on the front","last three digits on the back","digits on the back","prüfnummer","pruefnummer","prüfziffer","sicherheitscode","kartenprüfnummer","drei ziffern auf der rückseite","código de seguridad","codigo de seguridad","tres dígitos","tres digitos"}', true),
('expiry', 'expiry', 'words for the month in which a card expires', '{}', '{}', '{"expiry","expiry date","expiration","expiration date","expires","expire","expiring","exp","exp date","valid until","valid thru","valid through","good through","good thru","gültig bis","gueltig bis","ablaufdatum","läuft ab","verfallsdatum","gültigkeit","vencimiento","caduca","caducidad","vence","válida hasta","valida hasta"}', true)
"""
NOTICES = """
INSERT INTO archive.disclosure_rules (name, language, pattern) VALUES
('en_call_recorded', 'en', 'call%record'),
('en_conversation_recorded', 'en', 'conversation%record'),
('en_line_recorded', 'en', 'recorded line'),
('en_recording_this', 'en', 'recording this%call'),
('en_will_record', 'en', 'we%record%call'),
('en_recorded_for', 'en', 'recorded for%purposes'),
('en_being_recorded', 'en', 'being recorded'),
('en_consent', 'en', 'consent to%record'),
('de_anruf', 'de', 'anruf%aufgezeichnet'),
('de_gespraech', 'de', 'gespräch%aufgezeichnet'),
('de_telefonat', 'de', 'telefonat%aufgezeichnet'),
('de_aufzeichnen', 'de', 'zeichnen%auf'),
('de_aufnahme', 'de', 'gespräch%aufgenommen'),
('de_zwecke', 'de', 'aufgezeichnet'),
('es_llamada_grabada', 'es', 'llamada%graba'),
('es_conversacion', 'es', 'conversación%graba'),
('es_grabando', 'es', 'estamos grabando'),
('es_siendo_grabada', 'es', 'siendo grabad'),
('fr_appel', 'fr', 'appel%enregistr'),
('fr_conversation', 'fr', 'conversation%enregistr')
"""


def upgrade() -> None:
    _make_rules()
    _make_findings()
    for seeds in (RULES, NOTICES):
        # Not through a text with parameters: the rows may hold a colon or a percent sign.
        op.get_bind().connection.cursor().execute(seeds)


def _make_rules() -> None:
    op.create_table(
        "payment_rules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("matches", sa.Text(), nullable=False),
        sa.Column("prefixes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("lengths", postgresql.ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("is_on", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.CheckConstraint(
            "kind in ('issuer', 'form', 'card_words', 'other_words', 'security_code', 'expiry')",
            name=op.f("ck_payment_rules_kind"),
        ),
        sa.CheckConstraint(
            "kind <> 'issuer' OR (cardinality(prefixes) > 0 AND cardinality(lengths) > 0 AND 12 <= ALL (lengths) AND 19 >= ALL (lengths) "
            r"AND array_to_string(prefixes, ' ') ~ '^[0-9]{1,6}(-[0-9]{1,6})?( [0-9]{1,6}(-[0-9]{1,6})?)*$')",
            name=op.f("ck_payment_rules_issuer"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_payment_rules")),
        schema="archive",
    )
    op.create_table(
        "disclosure_rules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("most_seconds", sa.Integer(), server_default="60", nullable=False),
        sa.Column("most_segments", sa.Integer(), server_default="6", nullable=False),
        sa.Column("is_on", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.CheckConstraint("least(most_seconds, most_segments) > 0", name=op.f("ck_disclosure_rules_most")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_disclosure_rules")),
        schema="archive",
    )


def _make_findings() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "payment_findings",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("call_id", postgresql.UUID(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.Integer(), nullable=False),
        sa.Column("masked_end_offset", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("found_at", instant, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("kind in ('card_number', 'security_code', 'expiry')", name=op.f("ck_payment_findings_kind")),
        sa.CheckConstraint(
            "place in ('segment', 'transcript_summary', 'summary', 'context')", name=op.f("ck_payment_findings_place")
        ),
        sa.PrimaryKeyConstraint(
            "call_id", "place", "position", "start_offset", "end_offset", name=op.f("pk_payment_findings")
        ),
        schema="archive",
    )
    op.create_table(
        "payment_scans",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("rules_sha256", sa.Text(), nullable=False),
        sa.Column("after_call_id", postgresql.UUID()),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("finished_at", instant),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_payment_scans")),
        schema="archive",
    )
    op.create_table(
        "disclosures",
        sa.Column("call_id", postgresql.UUID(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_disclosures")),
        schema="archive",
    )


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
