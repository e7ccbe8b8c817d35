"""What the process measures of itself: charts, and alerts evaluated from their definition."""
