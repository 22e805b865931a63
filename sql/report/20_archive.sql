-- One row per day of the period for which the account has an archive: what is sealed and stored of the day's calls.
SELECT
    day, calls, sealed_calls, expected_recordings, stored_recordings, waiting_recordings, missing_recordings,
    refused_recordings, removed_recordings, stored_bytes, transcript_calls, disclosure_calls,
    payment_calls, gap_seconds
FROM analytics.archive_daily
WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
ORDER BY day;
