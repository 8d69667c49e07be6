"""What an API does about CORS by itself, found out with a handful of harmless requests.

questions   what to ask, as values: two rounds, the second made from what the first has brought
tricks      what an attacker sends to be taken for an origin that is let in
answers     what came back, and what a browser concludes from it
kinds       every finding that there can be, with its severity and its words
judgement   the findings
headers     of them, those about how the headers are written
report      questions, answers and findings together; what is at risk
rule        the rule of this proxy that puts them right
watching    what has changed between two reports
asking      the requests on the wire: the only file here that touches a socket
"""
