"""One function per question that a dashboard answers, by subject; each makes the panel with the answer."""
