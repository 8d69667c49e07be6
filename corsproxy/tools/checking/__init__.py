"""Whether a table does what it should: its own tests, and what ``check`` has found in the formats of editors and CI.

table_tests                    the tests, run
findings                       what was found, as one list
as_sarif, as_github, as_junit  the list, for others to show
"""
