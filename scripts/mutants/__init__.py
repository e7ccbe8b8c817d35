"""Mutation tests: changes the library's code in one place at a time, and sees whether a test notices.

Which changes are made is as mutmut has it, and a few more (`further_operators`). How they are run is not: it
puts a function of its own around every other, which then is in each frame, each traceback and each cancel's
location, and much of what is tested here is about those. Instead pytest collects everything once, in this
process. Each mutant is a fork of it that swaps the code of one function for a mutated one, and runs the tests
that reach its lines, the fastest first, until one fails.

Module-level code and a class's own are not mutated: they have run already. Of a survivor, the reason why it
changes nothing is in `scripts/mutants/survivors.toml`; or else a test is missing, or the code is superfluous.
"""
