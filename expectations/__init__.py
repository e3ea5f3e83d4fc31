"""What must hold in the landing and in the marts, checked by Great Expectations.

`run_suite` of `expectations.checkpoint` runs one of the suites in `expectations.suites` and gives
a verdict. Importing this package starts and reads nothing: Great Expectations comes in late.
"""
