"""Traffic against a running service: an open-loop load generator without terminal or command line."""
