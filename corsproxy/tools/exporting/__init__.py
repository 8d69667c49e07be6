"""The rule table in the configuration of other engines.

    written config -> ``routes`` (who is sent where, neutral) -> one file per target -> text
                   -> ``features`` (what it asks for)          -> what the target does not keep

Rules: what is exported is read off the compiled table, and nothing is judged a second time; a renderer is a pure
function of the neutral table; a text of the user reaches the output through the one function of its target that quotes;
what a target cannot keep is a ``Difference``, at the line that asks for it, in words about who may do what.

``cases`` is a policy as a list of cases, of which the first that holds decides: every engine has a way to say that.
``expressions`` has the regular expressions that RE2, PCRE and Go read alike.
"""
