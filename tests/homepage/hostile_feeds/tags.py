"""Defects of tags: unclosed, crossed, unquoted, doubled, cut off, too deep."""

from tests.homepage.hostile_feeds.shapes import (
    THREE,
    Case,
    atom,
    case,
    entry,
    item,
    refused,
    rss,
    sound,
)

REST = "".join(map(item, THREE[1:]))


def _first(before: str, after: str) -> Case:
    """The first item changed, its neighbours sound."""
    return sound(rss(item(THREE[0]).replace(before, after), REST))


@case
def unclosed_title() -> Case:
    return _first("</title>", "")


@case
def unclosed_link() -> Case:
    return _first("</link>", "")


@case
def unclosed_description() -> Case:
    return _first("</description>", "")


@case
def unclosed_item() -> Case:
    return _first("</item>", "")


@case
def unclosed_html_in_description() -> Case:
    return _first("All about it", "<p>All <br>about <img src='a.png'> <b>it")


@case
def crossed_tags() -> Case:
    return _first("All about it", "<b>All <i>about</b> it</i>")


@case
def closing_tags_of_nothing() -> Case:
    return _first("All about it", "</div></p>All</span> about it</item2>")


@case
def wrong_closing_tag() -> Case:
    return _first("</description>", "</descripton>")


@case
def capital_tags() -> Case:
    return _first("title>", "TITLE>")


@case
def opening_and_closing_in_other_case() -> Case:
    return _first("<title>", "<Title>")


@case
def unquoted_attributes() -> Case:
    return _first("All about it", "<a href=https://news.example/1 target=_blank>All</a> about it")


@case
def attributes_without_value() -> Case:
    return _first("<guid>", "<guid isPermaLink>")


@case
def doubled_attributes() -> Case:
    return _first("<guid>", '<guid isPermaLink="true" isPermaLink="false">')


@case
def quote_never_closed() -> Case:
    return _first("All about it", '<a href="https://news.example/1>All</a> about it')


@case
def bracket_in_text() -> Case:
    return _first("All about it", "All 1 < 2 and 3 <4 about it <")


@case
def bracket_in_attribute() -> Case:
    return _first("<guid>", '<guid note="a < b">')


@case
def cdata_never_closed() -> Case:
    return _first("All about it", "<![CDATA[All about it")


@case
def cdata_closed_too_often() -> Case:
    return _first("All about it", "<![CDATA[All]]> about it]]>")


@case
def cdata_in_cdata() -> Case:
    return _first("All about it", "<![CDATA[All <![CDATA[about]]> it]]>")


@case
def comment_never_closed() -> Case:
    return _first("All about it", "<!-- All about it")


@case
def comment_with_dashes() -> Case:
    return _first("All about it", "<!-- a -- b --->All about it")


@case
def stray_end_of_channel() -> Case:
    return _first("</item>", "</item></channel></rss>")


@case
def tag_with_spaces_and_stars() -> Case:
    return _first("All about it", "<*> All < b > about <it's>")


@case
def no_end_at_all() -> Case:
    return sound(rss().replace("</channel></rss>", ""))


@case
def end_of_last_item_missing() -> Case:
    return sound(rss().replace("</item></channel></rss>", "</channel></rss>"))


def _cut(text: str, mark: str) -> bytes:
    """Cut a document in the middle of the last occurrence of a mark."""
    at = text.rindex(mark) + len(mark) // 2
    return text[:at].encode()


@case
def cut_in_a_link() -> Case:
    return sound(_cut(rss(), "https://news.example/3</link>"), THREE[:2])


@case
def cut_in_a_title() -> Case:
    return sound(_cut(rss(), "Wind over Faro</title>"), THREE[:2])


@case
def cut_in_a_description() -> Case:
    return sound(_cut(rss(), "All about it: Wind over Faro"), THREE)


@case
def cut_in_a_tag() -> Case:
    return sound(_cut(rss(), "<description>"), THREE)


@case
def cut_in_cdata() -> Case:
    text = rss().replace("All about it", "<![CDATA[All about it").replace(".</desc", ".]]></desc")
    return sound(_cut(text, "about it: Wind"), THREE)


@case
def cut_inside_a_character() -> Case:
    text = rss(*map(item, THREE), "<item><title>Mañ").encode()
    return sound(text[: text.rindex("ñ".encode()) + 1])


@case
def one_item_without_anything() -> Case:
    return sound(rss("<item/>", "<item><author>Ana</author></item>", *map(item, THREE)))


@case
def one_item_nested_too_deep() -> Case:
    return _first("All about it", "<b>" * 5_000 + "All about it" + "</b>" * 5_000)


@case
def deep_to_the_end() -> Case:
    return _first("All about it", "All about it " + "<div>" * 300_000)


@case
def deep_above_everything() -> Case:
    return sound("<a>" * 1_000 + rss() + "</a>" * 1_000)


@case
def items_inside_items() -> Case:
    text = rss().replace("</item>", "").replace("</channel>", "</item></item></item></channel>")
    return sound(text)


@case
def two_channels() -> Case:
    text = rss(item(THREE[0])).replace("</channel>", f"</channel><channel>{REST}</channel>")
    return sound(text)


@case
def items_beside_the_channel() -> Case:
    return sound(
        rss().replace("<item>", "</channel><item>", 1).replace("</channel></rss>", "</rss>")
    )


@case
def no_rss_element() -> Case:
    return sound(rss().replace('<rss version="2.0">', "").replace("</rss>", ""))


@case
def feed_inside_a_page() -> Case:
    return sound(f"<html><body><pre>{rss(head='')}</pre></body></html>")


@case
def xhtml_content_unclosed() -> Case:
    more = '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi<br>there</div></content>'
    return sound(atom(entry(THREE[0], more), *map(entry, THREE[1:])))


@case
def page_instead_of_feed() -> Case:
    return refused(
        "<!DOCTYPE html><html><head><title>News</title></head><body><p>Hi</body></html>", "html"
    )


@case
def page_of_a_login() -> Case:
    return refused("<html><form action=/login><input name=user></form></html>", "html")


@case
def text_instead_of_feed() -> Case:
    return refused("Service temporarily unavailable, try again & again.", "not_a_feed")


@case
def picture_instead_of_feed() -> Case:
    return refused(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not_a_feed")


@case
def sitemap_instead_of_feed() -> Case:
    text = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>x</loc></url></urlset>'
    return refused(text, "not_a_feed")


@case
def feed_without_items() -> Case:
    return sound(rss("<!-- none -->"), [])
