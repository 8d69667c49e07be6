"""The inspector: exchanges as they pass, on a page of the admin listener, each with its explanation.

    recorder      the last exchanges, by reference; all that happens while nobody looks
    masking       what leaves the process of a URL or a header, with its secrets masked
    reenactment   the heads that were sent, made again from the record by the data plane's own code
    changes       what the proxy did to each header line, and because of which line of the configuration
    rows          the list: one row an exchange, preflights paired with what they asked for; the rules beside it
    reasons       the explanation of a recorded exchange, and of the same under another policy
    exports       curl, fetch and HAR
    replay        a recorded request, asked again
    routes        all of this over HTTP, for who has the token
    page/         what the browser runs: plain modules, no build step

Bodies are not recorded.
"""
