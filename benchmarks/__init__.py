"""What tracing costs, measured against the same work untraced, by other retry libraries and by the book.

``python -m benchmarks`` prints a table of each measurement and every target of :mod:`.targets`, with
bound and goal. Ratios are medians of pairs taken in the same round, so that a busy machine changes the
absolute numbers but hardly the ratios.
"""
