"""Bombs: small or large files that ask for more time or memory than anybody has."""

from tests.homepage.hostile_feeds.shapes import THREE, Case, case, item, refused, rss, sound

REST = "".join(map(item, THREE[1:]))


def _described(text: str) -> Case:
    return sound(rss(item(THREE[0]).replace("All about it", text), REST))


@case
def billion_laughs() -> Case:
    lines = ["<!ENTITY a0 'ha'>"]
    lines += [f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12)]
    head = f"<?xml version='1.0'?><!DOCTYPE rss [{''.join(lines)}]>"
    return sound(rss(item(THREE[0]).replace("All about it", "&a11;"), REST, head=head))


@case
def quadratic_entity() -> Case:
    head = f"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a '{'a' * 50_000}'>]>"
    return sound(rss(item(THREE[0]).replace("All about it", "&a;" * 50_000), REST, head=head))


@case
def entity_bomb_in_attribute() -> Case:
    head = f"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a '{'a' * 50_000}'>]>"
    first = item(THREE[0]).replace("<guid>", f'<guid note="{"&a;" * 10_000}">')
    return sound(rss(first, REST, head=head))


@case
def million_empty_items() -> Case:
    return sound(rss(*map(item, THREE), "<item/>" * 1_000_000))


@case
def million_different_tags() -> Case:
    return sound(rss(*map(item, THREE), "".join(f"<t{n}/>" for n in range(700_000))))


@case
def half_a_million_attributes() -> Case:
    attributes = " ".join(f'a{n}="{n}"' for n in range(500_000))
    return sound(rss(item(THREE[0]).replace("<guid>", f"<guid {attributes}>"), REST))


@case
def attribute_of_nine_megabytes() -> Case:
    return sound(rss(item(THREE[0]).replace("<guid>", f'<guid note="{"x" * 9_000_000}">'), REST))


@case
def name_of_a_megabyte() -> Case:
    return _described(f"<{'n' * 1_000_000}>All about it</{'n' * 1_000_000}>")


@case
def text_of_nine_megabytes() -> Case:
    return _described("All about it " * 700_000)


@case
def five_million_ampersands() -> Case:
    return _described("& " * 4_500_000)


@case
def million_brackets() -> Case:
    return _described("< " * 1_000_000)


@case
def million_opened_cdata() -> Case:
    return _described("<![CDATA[" * 1_000_000)


@case
def million_opened_comments() -> Case:
    return _described("<!--" * 2_000_000)


@case
def million_unclosed_tags() -> Case:
    return _described("<b>" * 1_000_000)


@case
def million_quotes() -> Case:
    return _described("<a href=\"'" * 900_000)


@case
def formatting_that_multiplies() -> Case:
    tags = "".join(f"&lt;b x={n}&gt;" for n in range(1_500))
    return _described(tags + "&lt;p&gt;" * 5_000)


@case
def unclosed_scripts() -> Case:
    return _described("&lt;script&gt;" * 50_000)


@case
def tables_in_tables() -> Case:
    return _described("&lt;table&gt;&lt;td&gt;" * 20_000)


@case
def blockquotes_in_blockquotes() -> Case:
    return _described("&lt;blockquote&gt;&lt;a href=/x&gt;x" * 20_000)


@case
def half_escaped_ampersands() -> Case:
    return _described("&amp;" * 1_500_000)


@case
def million_references() -> Case:
    return _described("&eacute;" * 1_000_000)


@case
def hundred_thousand_full_items() -> Case:
    flood = "".join(f"<item><guid>{n}</guid><title>t</title></item>" for n in range(100_000))
    text = rss(*map(item, THREE), flood)
    return sound(text)


@case
def json_nested_to_death() -> Case:
    return refused(
        '{"version":"https://jsonfeed.org/version/1","items":' + "[" * 200_000, "too_deep"
    )


@case
def json_of_million_items() -> Case:
    text = '{"version":"https://jsonfeed.org/version/1","items":[' + "{}," * 3_000_000 + "{}]}"
    return refused(text, "too_big")


@case
def json_of_million_authors() -> Case:
    authors = ",".join(['{"name":"A"}'] * 300_000)
    one = f'{{"id":"1","url":"{THREE[0].link}","title":"{THREE[0].title}","date_published":"{THREE[0].time}","authors":[{authors}]}}'
    return sound(f'{{"version":"https://jsonfeed.org/version/1","items":[{one}]}}', THREE[:1])


@case
def utf_16_of_ten_megabytes() -> Case:
    return sound(rss(*map(item, THREE), " 東" * 2_400_000).encode("utf-16"))


@case
def guessing_over_megabytes() -> Case:
    return sound(
        rss(*map(item, THREE)).encode() + bytes([0x81, 0x8D, 0x9D, 0xFF, 0x20]) * 1_800_000
    )
