"""Dashboards for Grafana and Superset, both written from one description (panels.py): `python -m dashboards`."""
