"""All dashboards, in their order: one module each."""

from dashboards.boards.agents import AGENTS
from dashboards.boards.archive import ARCHIVE
from dashboards.boards.money import MONEY
from dashboards.boards.overview import OVERVIEW
from dashboards.boards.reach import REACH
from dashboards.boards.reconciliation import RECONCILIATION
from dashboards.boards.service import SERVICE
from dashboards.boards.trust import TRUST

DASHBOARDS = (OVERVIEW, MONEY, RECONCILIATION, AGENTS, REACH, SERVICE, TRUST, ARCHIVE)
