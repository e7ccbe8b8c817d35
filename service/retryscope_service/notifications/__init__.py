"""The alerts that Alertmanager has delivered."""
