"""The difference that two tables make to pages: what becomes allowed or denied, exactly, each with a request to show.

The space of all requests is taken apart into places (``places``: hosts and paths that each table answers by one rule),
and every place into sets of origins that two policies treat alike (``comparison``); what such a set may do are a few
yes-or-noes and sets of names (``abilities``).  Nothing is sampled, so that an empty difference is a proof.
"""
