"""HTTP beneath the resources: listening, refusing, what every request and answer has."""
