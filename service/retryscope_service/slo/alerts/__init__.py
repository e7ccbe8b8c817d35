"""The alerts, each once: when it fires, as PromQL and by a process's own measurements, and what it says."""
