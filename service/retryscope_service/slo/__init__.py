"""What is promised, and the recording and alerting rules generated from it."""
