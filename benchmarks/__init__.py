"""What tracing costs, measured against the same work untraced, by other retry libraries and by the book.

``python -m benchmarks`` prints the goals P1, P4, P5 and P8, each as a ratio with its bound. Ratios are
medians of pairs taken in the same round, so that a busy machine changes the absolute numbers but hardly the
ratios.
"""
