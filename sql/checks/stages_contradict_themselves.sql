-- Rows of replicator.status_stages, which users extend, that call an open stage terminal or another one not terminal.
-- Returns: status, stage, is_terminal.
SELECT status, stage, is_terminal FROM replicator.status_stages WHERE (stage = 'open') = is_terminal
