"""Defects of meaning: dates, links, guids, dialects, and what stands where it should not."""

import json

from tests.homepage.hostile_feeds.shapes import (
    THREE,
    Case,
    Expected,
    atom,
    case,
    entry,
    item,
    refused,
    rfc_822,
    rss,
    sound,
)

SOUND_DATE = f"<pubDate>{rfc_822(THREE[0].time or '')}</pubDate>"


def _dated(written: str, time: str | None) -> Case:
    first = item(THREE[0]).replace(SOUND_DATE, f"<pubDate>{written}</pubDate>")
    items = [THREE[0]._replace(time=time), *THREE[1:]]
    return sound(rss(first, *map(item, THREE[1:])), items)


DATES = {
    "without_weekday_or_seconds": ("2 Mar 2026 08:00 GMT", "2026-03-02T08:00:00+00:00"),
    "with_wrong_weekday": ("Fri, 02 Mar 2026 08:00:00 GMT", "2026-03-02T08:00:00+00:00"),
    "with_two_digit_year": ("Mon, 02 Mar 26 08:00:00 +0100", "2026-03-02T07:00:00+00:00"),
    "of_the_last_century": ("Mon, 02 Mar 98 08:00:00 GMT", "1998-03-02T08:00:00+00:00"),
    "with_clock_without_colon": ("02 Mar 26 0800 GMT", "2026-03-02T08:00:00+00:00"),
    "with_american_zone": ("Mon, 02 Mar 2026 08:00:00 EST", "2026-03-02T13:00:00+00:00"),
    "with_zone_in_words": ("Mon, 02 Mar 2026 08:00:00 +0100 (CET)", "2026-03-02T07:00:00+00:00"),
    "with_gmt_and_offset": ("Mon, 02 Mar 2026 08:00:00 GMT+02:00", "2026-03-02T06:00:00+00:00"),
    "without_zone": ("Mon, 02 Mar 2026 08:00:00", "2026-03-02T08:00:00+00:00"),
    "with_unknown_zone": ("Mon, 02 Mar 2026 08:00:00 XYZ", "2026-03-02T08:00:00+00:00"),
    "with_wild_offset": ("Mon, 02 Mar 2026 08:00:00 +9900", "2026-03-02T08:00:00+00:00"),
    "in_iso_form": ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00+00:00"),
    "in_iso_form_with_space": ("2026-03-02 08:00:00 +0000", "2026-03-02T08:00:00+00:00"),
    "in_iso_form_without_colon": (
        "2026-03-02T08:00:00.123-0500",
        "2026-03-02T13:00:00.123000+00:00",
    ),
    "in_iso_form_with_nanoseconds": (
        "2026-03-02T08:00:00.123456789Z",
        "2026-03-02T08:00:00.123456+00:00",
    ),
    "with_day_only": ("2026-03-02", "2026-03-02T00:00:00+00:00"),
    "in_words": ("March 2, 2026 8:00 pm", "2026-03-02T20:00:00+00:00"),
    "in_words_with_ordinal": ("Monday, 2nd March 2026 8:00 AM", "2026-03-02T08:00:00+00:00"),
    "in_german": ("Mo, 02 Mär 2026 08:00:00 +0100", "2026-03-02T07:00:00+00:00"),
    "in_portuguese": ("Seg, 02 Fev 2026 08:00:00 -0300", "2026-02-02T11:00:00+00:00"),
    "in_french": ("lun., 02 févr. 2026 08:00:00 +0000", "2026-02-02T08:00:00+00:00"),
    "in_spanish": ("lunes, 2 de marzo de 2026 08:00", "2026-03-02T08:00:00+00:00"),
    "with_points": ("02.03.2026 08:00", "2026-03-02T08:00:00+00:00"),
    "american_with_slashes": ("3/2/2026 8:00:00 AM", "2026-03-02T08:00:00+00:00"),
    "with_slashes_year_first": ("2026/03/02 08:00", "2026-03-02T08:00:00+00:00"),
    "in_seconds": ("1772438400", "2026-03-02T08:00:00+00:00"),
    "in_milliseconds": ("1772438400000", "2026-03-02T08:00:00+00:00"),
    "at_midnight_24": ("Mon, 02 Mar 2026 24:00:00 GMT", "2026-03-03T00:00:00+00:00"),
    "at_leap_second": ("Mon, 02 Mar 2026 23:59:60 GMT", "2026-03-03T00:00:00+00:00"),
    "with_white_space": ("\n  Mon, 02  Mar 2026\n 08:00:00 GMT ", "2026-03-02T08:00:00+00:00"),
    "that_does_not_exist": ("Mon, 31 Feb 2026 08:00:00 GMT", None),
    "of_year_one": ("0001-01-01T00:00:00Z", None),
    "of_the_epoch": ("Thu, 01 Jan 1970 00:00:00 +0000", None),
    "in_prose": ("yesterday, about noon", None),
    "empty": ("", None),
    "of_99_digits": ("9" * 99, None),
}


def _register_dates() -> None:
    for name, (written, time) in DATES.items():

        def make(written: str = written, time: str | None = time) -> Case:
            return _dated(written, time)

        make.__name__ = f"date_{name}"
        case(make)


_register_dates()


def _linked(written: str, link: str | None) -> Case:
    first = item(THREE[0]).replace(f"<link>{THREE[0].link}</link>", f"<link>{written}</link>")
    first = first.replace(f"<guid>{THREE[0].link}</guid>", '<guid isPermaLink="false">g1</guid>')
    items = [THREE[0]._replace(link=link), *THREE[1:]]
    return sound(rss(first, *map(item, THREE[1:])), items)


LINKS = {
    "from_the_root": ("/1", "https://news.example/1"),
    "relative": ("one.html", "https://news.example/one.html"),
    "without_scheme": ("//news.example/1", "https://news.example/1"),
    "without_scheme_and_slashes": ("www.news.example/1", "http://www.news.example/1"),
    "with_space": ("https://news.example/a b", "https://news.example/a%20b"),
    "with_line_break": ("https://news.example/\n1", "https://news.example/1"),
    "with_quotes": ('https://news.example/"1"', "https://news.example/%221%22"),
    "in_cdata": ("<![CDATA[ https://news.example/1 ]]>", "https://news.example/1"),
    "of_script": ("javascript:alert(1)", None),
    "of_script_disguised": (" java\tscript:alert(1)", None),
    "of_data": ("data:text/html,hi", None),
    "to_a_file": ("file:///etc/passwd", None),
    "without_host": ("https:///1", None),
    "empty": ("", None),
    "of_a_megabyte": ("https://news.example/" + "a" * 1_000_000, None),
}


def _register_links() -> None:
    for name, (written, link) in LINKS.items():

        def make(written: str = written, link: str | None = link) -> Case:
            return _linked(written, link)

        make.__name__ = f"link_{name}"
        case(make)


_register_links()


@case
def guid_serves_as_link() -> Case:
    return sound(
        rss(item(THREE[0]).replace(f"<link>{THREE[0].link}</link>", ""), *map(item, THREE[1:]))
    )


@case
def guid_that_is_no_permalink() -> Case:
    first = item(THREE[0]).replace(f"<link>{THREE[0].link}</link>", "")
    first = first.replace("<guid>", '<guid isPermaLink="false">')
    return sound(rss(first, *map(item, THREE[1:])), [THREE[0]._replace(link=None), *THREE[1:]])


@case
def one_guid_for_all() -> Case:
    text = rss()
    for one in THREE:
        text = text.replace(f"<guid>{one.link}</guid>", "<guid>0</guid>")
    return sound(text)


@case
def one_link_for_all_and_no_guid() -> Case:
    items = [one._replace(link="https://news.example/") for one in THREE]
    text = rss(*map(item, items)).replace("<guid>https://news.example/</guid>", "")
    return sound(text, items)


@case
def same_item_twice() -> Case:
    return sound(rss(item(THREE[0]), *map(item, THREE)))


@case
def title_missing() -> Case:
    first = item(THREE[0]).replace(f"<title>{THREE[0].title}</title>", "")
    return sound(rss(first, *map(item, THREE[1:])), [THREE[0]._replace(title=""), *THREE[1:]])


@case
def title_of_the_picture_is_not_the_title() -> Case:
    picture = "<media:group><media:title>A photo</media:title></media:group>"
    root = ' xmlns:media="http://search.yahoo.com/mrss/"'
    first = item(THREE[0]).replace("<item>", f"<item>{picture}")
    return sound(rss(first, *map(item, THREE[1:]), root=root))


@case
def link_of_atom_inside_rss() -> Case:
    root = ' xmlns:atom="http://www.w3.org/2005/Atom"'
    link = '<atom:link rel="self" href="https://news.example/rss"/>'
    return sound(
        rss(root=root).replace("<channel>", f"<channel>{link}").replace("<item>", f"<item>{link}")
    )


@case
def many_links_of_an_entry() -> Case:
    links = (
        '<link rel="replies" href="https://news.example/c"/><link rel="edit" href="https://news.example/e"/>'
        '<link rel="enclosure" type="audio/mpeg" href="https://news.example/m"/>'
    )
    first = entry(THREE[0]).replace("<link", f"{links}<link rel='alternate' type='text/html'", 1)
    return sound(atom(first, *map(entry, THREE[1:])))


@case
def base_of_xml() -> Case:
    text = atom(root=' xml:base="https://news.example/"').replace(
        'href="https://news.example/1"', 'href="1"'
    )
    return sound(text)


@case
def old_atom() -> Case:
    text = atom().replace("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#")
    return sound(text.replace("published>", "issued>"))


@case
def atom_with_updated_only() -> Case:
    return sound(atom().replace("published>", "updated>"))


@case
def rdf_with_date_of_dublin_core() -> Case:
    items = "".join(
        f'<item rdf:about="{one.link}"><title>{one.title}</title><link>{one.link}</link>'
        f"<dc:date>{one.time}</dc:date></item>"
        for one in THREE
    )
    return sound(
        '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel '
        f'rdf:about="x"><title>News</title><items><rdf:Seq/></items></channel>{items}</rdf:RDF>'
    )


@case
def rss_0_90() -> Case:
    items = [one._replace(time=None) for one in THREE]
    inside = "".join(f"<item><title>{o.title}</title><link>{o.link}</link></item>" for o in items)
    return sound(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel/>{inside}</rdf:RDF>',
        items,
    )


def _json(items: list[object]) -> str:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "N", "items": items})


def _one_json(one: Expected) -> dict[str, object]:
    return {"id": one.link, "url": one.link, "title": one.title, "date_published": one.time}


@case
def json_feed() -> Case:
    return sound(_json([_one_json(one) for one in THREE]), kind="application/feed+json")


@case
def json_with_items_of_wrong_types() -> Case:
    wrong: list[object] = [7, None, "x", [], {"id": {"a": 1}, "title": ["x"]}]
    return sound(_json([*wrong, *[_one_json(one) for one in THREE]]))


@case
def json_with_number_as_id() -> Case:
    first = _one_json(THREE[0]) | {"id": 17}
    return sound(_json([first, *[_one_json(one) for one in THREE[1:]]]))


@case
def json_with_half_characters() -> Case:
    text = _json([_one_json(one) for one in THREE]).replace("Rain over", "Rain\\ud83d over")
    return sound(text)


@case
def json_with_raw_controls() -> Case:
    return sound(_json([_one_json(one) for one in THREE]).replace("Rain over", "Rain\x01 over"))


@case
def json_that_is_no_feed() -> Case:
    return refused('{"status": "ok", "results": {}}', "not_a_feed")


@case
def json_cut_off() -> Case:
    return refused(_json([_one_json(one) for one in THREE])[:-40], "not_a_feed")
