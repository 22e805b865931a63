-- Rates of calls that are over with a known status.
placed_calls::double precision / nullif(terminal_calls, 0) AS placed_rate,
answered_calls::double precision / nullif(placed_calls, 0) AS answer_rate,
machine_calls::double precision / nullif(placed_calls, 0) AS machine_rate,
conversations::double precision / nullif(terminal_calls, 0) AS conversation_rate,
