"""The results as a part of a page."""

from __future__ import annotations

import pytest

from corsproxy.conformance.markdown import BEGIN, END, NoMarkers, updated


def test_results_take_the_place_of_the_old_ones(report):
    page = f"# Before\n\n{BEGIN}\nthe old ones\n{END}\n\nAfter\n"
    text = updated(page, [report("corsproxy"), report("careless"), report("unable")], "2026-11-22")
    assert text.startswith("# Before\n")
    assert text.endswith(f"{END}\n\nAfter\n")
    assert "the old ones" not in text
    assert "Measured on 2026-11-22" in text
    assert "It is wrong \\<on purpose\\>." in text
    assert "- cannot: it knows no expressions" in text
    assert "<details><summary>Lets in: " in text
    total = report("careless").total()
    assert f"| A proxy that lets everybody in | 0 & counting | {total.held} of {total.asked} |" in text
    assert updated(text, [], "") != text


def test_a_target_without_a_blemish_has_a_row_and_no_section(report):
    text = updated(f"{BEGIN}{END}", [report("corsproxy")], "2026-11-22")
    assert "| corsproxy |" in text
    assert "### corsproxy" not in text


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_a_place_is_refused(page):
    with pytest.raises(NoMarkers, match="the page has no place for results"):
        updated(page, [], "")
