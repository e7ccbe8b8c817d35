"""The shop of the workflow `checkout`: its orders, its books, and how the workflow calls it."""
