"""x"""


def page(reports):
    return ""
