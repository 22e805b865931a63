"""Reads and writes the names of agents and campaigns (replicator.agents, replicator.campaigns)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from replicator.store import migrate, naming, roles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from replicator.store.database import Database

_AGENTS = """
SELECT s.agent_id, n.name, n.team, s.calls FROM (
    SELECT agent_id, sum(calls)::bigint AS calls FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND agent_id IS NOT NULL GROUP BY agent_id
) s LEFT JOIN replicator.agents n ON n.agent_id = s.agent_id ORDER BY s.calls DESC, s.agent_id
"""
_CAMPAIGNS = """
SELECT s.campaign_id, n.name, s.calls FROM (
    SELECT campaign_id, sum(calls)::bigint AS calls FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND campaign_id IS NOT NULL GROUP BY campaign_id
) s LEFT JOIN replicator.campaigns n ON n.campaign_id = s.campaign_id ORDER BY s.calls DESC, s.campaign_id
"""
_SET_AGENT = """
INSERT INTO replicator.agents (agent_id, name, team) VALUES (:id, :name, :team)
ON CONFLICT (agent_id) DO UPDATE SET name = excluded.name, team = coalesce(excluded.team, replicator.agents.team)
"""
_SET_CAMPAIGN = """
INSERT INTO replicator.campaigns (campaign_id, name) VALUES (:id, :name)
ON CONFLICT (campaign_id) DO UPDATE SET name = excluded.name
"""


def listed(database: Database, account: str) -> list[dict[str, Any]]:
    """Return the agents and campaigns of the account's calls, the busiest first, with their names."""
    with database.connection() as connection:
        agents = connection.execute(_AGENTS, {"account": account}).fetchall()
        campaigns = connection.execute(_CAMPAIGNS, {"account": account}).fetchall()
    return [
        *(
            {"agent_id": one, "campaign_id": None, "name": name, "team": team, "calls": calls}
            for one, name, team, calls in agents
        ),
        *(
            {"agent_id": None, "campaign_id": one, "name": name, "team": None, "calls": calls}
            for one, name, calls in campaigns
        ),
    ]


def save(
    url: str,
    agents: Sequence[tuple[UUID, str | None, str | None]],
    campaigns: Sequence[tuple[str, str | None]],
    *,
    role_prefix: str,
    schemas: naming.Names,
) -> None:
    """Write names of agents (id, name, team) and campaigns (id, name) in one transaction; a name that is None is removed.

    This needs the rights to migrate, as every change of a rule of the reports.
    """
    with migrate.alone(url, schemas) as connection:
        roles.assume(connection, roles.Names.of(role_prefix))
        for agent, name, team in agents:
            if name is None and team is None:
                connection.execute(sa.text("DELETE FROM replicator.agents WHERE agent_id = :id"), {"id": agent})
            else:
                connection.execute(sa.text(_SET_AGENT), {"id": agent, "name": name, "team": team})
        for campaign, name in campaigns:
            if name is None:
                connection.execute(
                    sa.text("DELETE FROM replicator.campaigns WHERE campaign_id = :id"), {"id": campaign}
                )
            else:
                connection.execute(sa.text(_SET_CAMPAIGN), {"id": campaign, "name": name})


__all__ = ["listed", "save"]
