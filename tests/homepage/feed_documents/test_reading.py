"""What is taken from a sound feed: fields, bases, pictures, languages, identities."""

from app.domain.homepage.feed_documents import FeedDocument, FeedEntry, read, url_key
from tests.homepage.hostile_feeds.shapes import THREE, atom, entry, item, rss

FEED = "https://news.example/feed"
SPACES = (
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def _one(more: str, **changes: str) -> FeedEntry:
    text = item(THREE[0], more)
    for before, after in changes.items():
        text = text.replace(f"<{before}>", f"<{after}>", 1)
    return read(rss(text, root=SPACES).encode(), None, FEED).items[0]


def test_a_channel_says_what_it_is() -> None:
    text = rss().replace("<item>", "<language>en-US</language><ttl>45</ttl><item>", 1)
    feed = read(text.encode(), None, FEED)
    assert (feed.format, feed.encoding, feed.title) == ("rss 2.0", "utf-8", "The News")
    assert (feed.site_url, feed.language, feed.ttl_minutes) == (
        "https://news.example/",
        "en-us",
        45,
    )
    assert feed.repairs == []


def test_a_ttl_is_bounded_and_nonsense_is_none() -> None:
    for written, minutes in (("999999", 1_440), ("0", None), ("-5", None), ("soon", None)):
        text = rss().replace("<item>", f"<ttl>{written}</ttl><item>", 1)
        assert read(text.encode(), None, FEED).ttl_minutes == minutes


def test_the_whole_article_becomes_the_text_and_the_description_the_summary() -> None:
    one = _one(
        "<content:encoded><![CDATA[<p>The whole long article about all of it.</p>]]></content:encoded>"
    )
    assert one.summary_html == "All about it: Rain over Lisbon."
    assert one.body_text == "The whole long article about all of it."


def test_the_widest_picture_is_taken() -> None:
    one = _one(
        '<media:content url="https://i.example/s.jpg" medium="image" width="140"/>'
        '<media:content url="https://i.example/l.jpg" medium="image" width="460"/>'
        '<media:content url="https://i.example/v.mp4" medium="video" width="1900"/>'
    )
    assert one.image_url == "https://i.example/l.jpg"


def test_a_picture_is_found_in_enclosures_and_texts() -> None:
    one = _one('<enclosure url="/e.jpg" type="image/jpeg" length="1"/>')
    assert one.image_url == "https://news.example/e.jpg"
    two = _one(
        '<content:encoded>&lt;img src="/t.png"&gt; and a longer text than before</content:encoded>'
    )
    assert two.image_url == "https://news.example/t.png"


def test_an_enclosed_sound_is_no_picture_but_serves_as_link() -> None:
    sound = '<enclosure url="https://a.example/e.mp3" type="audio/mpeg" length="1"/>'
    text = item(THREE[0], sound).replace(f"<link>{THREE[0].link}</link>", "")
    text = text.replace("<guid>", '<guid isPermaLink="false">')
    one = read(rss(text).encode(), None, FEED).items[0]
    assert (one.url, one.image_url) == ("https://a.example/e.mp3", None)


def test_an_author_is_a_name() -> None:
    assert _one("<author>ana@news.example (Ana Lima)</author>").author == "Ana Lima"
    assert _one("<dc:creator>Ana &amp;amp; Rui</dc:creator>").author == "Ana & Rui"


def test_an_entry_of_atom_has_names_base_and_language() -> None:
    more = (
        "<author><name>Ana</name></author><author><name>Rui</name></author>"
        '<content type="html" xml:base="https://cdn.example/x/">&lt;a href="y"&gt;more of it, at length&lt;/a&gt;</content>'
    )
    text = atom(entry(THREE[0], more).replace("<summary>About Rain over Lisbon.</summary>", ""))
    one = read(text.replace("<entry>", '<entry xml:lang="pt">').encode(), None, FEED).items[0]
    assert (one.author, one.language) == ("Ana, Rui", "pt")
    assert 'href="https://cdn.example/x/y"' in one.summary_html


def test_plain_text_of_atom_is_not_taken_for_markup() -> None:
    more = '<content type="text">Use &lt;b&gt; and &lt;i&gt; with care</content>'
    text = atom(entry(THREE[0], more).replace("<summary>About Rain over Lisbon.</summary>", ""))
    one = read(text.encode(), None, FEED).items[0]
    assert one.summary_html == "Use &lt;b&gt; and &lt;i&gt; with care"
    assert one.body_text == "Use <b> and <i> with care"


def test_identity_is_the_guid_and_outlives_a_changed_title_and_link() -> None:
    before = _one("", guid='guid isPermaLink="false"')
    after = read(
        rss(
            item(THREE[0])
            .replace("<title>Rain", "<title>Snow")
            .replace("<link>", "<link>http://m.")
        ).encode(),
        None,
        FEED,
    ).items[0]
    assert before.guid_hash == after.guid_hash
    assert before.content_hash != after.content_hash


def test_without_guid_the_canonical_address_is_the_identity() -> None:
    bare = item(THREE[0]).replace(f"<guid>{THREE[0].link}</guid>", "")
    tracked = bare.replace("example/1<", "example/1?utm_source=rss#top<")
    first, second = (read(rss(text).encode(), None, FEED).items[0] for text in (bare, tracked))
    assert first.guid_hash == second.guid_hash
    assert first.url_key == second.url_key == url_key("http://www.news.example/1")


def _hashes(feed: FeedDocument) -> set[bytes]:
    return {one.guid_hash for one in feed.items}


def test_shared_guids_keep_their_identity_when_the_order_changes() -> None:
    items = [item(one).replace(f"<guid>{one.link}</guid>", "<guid>0</guid>") for one in THREE]
    one_way, other_way = rss(*items), rss(*reversed(items))
    assert len(_hashes(read(one_way.encode(), None, FEED))) == 3
    assert _hashes(read(one_way.encode(), None, FEED)) == _hashes(
        read(other_way.encode(), None, FEED)
    )


def test_repairs_are_listed() -> None:
    text = "junk" + rss().replace("All about", "All & \x01 &nbsp; about", 1)
    assert read(text.encode(), None, FEED).repairs == [
        "junk before the first tag",
        "control characters",
        "entities and ampersands",
    ]


def test_a_second_opinion_is_asked_when_the_first_finds_nothing() -> None:
    text = rss().replace("<item>", "<item><fields>").replace("</item>", "</fields></item>")
    feed = read(text.encode(), None, FEED)
    assert [one.title for one in feed.items] == [one.title for one in THREE]
    assert feed.repairs == ["second opinion"]
