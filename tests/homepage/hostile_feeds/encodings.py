"""Defects of bytes: marks, wrong labels, mixed and broken encodings, packed bodies."""

import codecs
import gzip
import zlib

from tests.homepage.hostile_feeds.shapes import ACCENTED, Case, case, item, refused, rss, sound


def _accented(label: str = "UTF-8") -> str:
    return rss(*map(item, ACCENTED), head=f'<?xml version="1.0" encoding="{label}"?>')


@case
def byte_order_mark() -> Case:
    return sound(codecs.BOM_UTF8 + _accented().encode(), ACCENTED)


@case
def byte_order_mark_against_header() -> Case:
    return sound(codecs.BOM_UTF8 + _accented().encode(), ACCENTED, "text/xml; charset=latin-1")


@case
def utf_16_with_mark() -> Case:
    return sound(_accented("UTF-16").encode("utf-16"), ACCENTED)


@case
def utf_16_without_mark() -> Case:
    return sound(_accented("UTF-16").encode("utf-16-be"), ACCENTED)


@case
def utf_32_with_mark() -> Case:
    return sound(_accented("UTF-32").encode("utf-32"), ACCENTED)


@case
def utf_32_without_mark() -> Case:
    return sound(_accented("UTF-32").encode("utf-32-le"), ACCENTED)


@case
def utf_16_label_on_utf_8() -> Case:
    return sound(_accented("UTF-16").encode(), ACCENTED)


@case
def latin_1_header_on_utf_8() -> Case:
    return sound(_accented().encode(), ACCENTED, "application/rss+xml; charset=ISO-8859-1")


@case
def ascii_header_on_utf_8() -> Case:
    return sound(_accented().encode(), ACCENTED, 'text/xml; charset="us-ascii"')


@case
def utf_8_label_on_windows_1252() -> Case:
    return sound(_accented().encode("cp1252"), ACCENTED)


@case
def utf_8_header_on_windows_1252() -> Case:
    return sound(_accented("windows-1252").encode("cp1252"), ACCENTED, "text/xml;charset=utf-8")


@case
def no_label_on_windows_1252() -> Case:
    items = [ACCENTED[0]._replace(title="“Três” cafés – à beira-mar…"), *ACCENTED[1:]]
    return sound(rss(*map(item, items), head="").encode("cp1252"), items)


@case
def latin_1_label_with_curly_quotes() -> Case:
    items = [ACCENTED[0]._replace(title="“Cafés” € 3"), *ACCENTED[1:]]
    text = rss(*map(item, items), head='<?xml version="1.0" encoding="iso-8859-1"?>')
    return sound(text.encode("cp1252"), items)


@case
def unknown_encoding_name() -> Case:
    return sound(_accented("x-made-up").encode(), ACCENTED)


@case
def refused_encoding_name() -> Case:
    return sound(_accented("unicode_escape").encode(), ACCENTED)


@case
def one_bad_byte_in_utf_8() -> Case:
    text = _accented().encode().replace(b"All about it", b"All \xff about it", 1)
    return sound(text, ACCENTED)


@case
def windows_byte_in_utf_8_title() -> Case:
    items = [ACCENTED[0], ACCENTED[1]._replace(title="Porto’s sun"), ACCENTED[2]]
    return sound(_accented_with(items).replace("’".encode(), b"\x92"), items)


def _accented_with(items: list) -> bytes:
    return rss(*map(item, items)).encode()


@case
def surrogates_in_utf_8() -> Case:
    broken = b"All about it \xed\xa0\xbd\xed\xb8\x80"
    return sound(_accented().encode().replace(b"All about it", broken, 1), ACCENTED)


@case
def overlong_slash_in_utf_8() -> Case:
    return sound(_accented().encode().replace(b"All about", b"All \xc0\xaf about", 1), ACCENTED)


@case
def shift_jis_declared() -> Case:
    items = [ACCENTED[0]._replace(title="東京の天気 ①"), *ACCENTED[1:]]
    text = rss(*map(item, items), head='<?xml version="1.0" encoding="Shift_JIS"?>')
    return sound(text.encode("cp932"), items)


@case
def gb2312_declared_with_wider_letters() -> Case:
    items = [ACCENTED[0]._replace(title="镕基谈天气"), *ACCENTED[1:]]
    text = rss(*map(item, items), head='<?xml version="1.0" encoding="gb2312"?>')
    return sound(text.encode("gb18030"), items)


@case
def koi8_in_header_only() -> Case:
    items = [ACCENTED[0]._replace(title="Погода в Москве"), *ACCENTED[1:]]
    return sound(
        rss(*map(item, items), head="").encode("koi8-r"), items, "text/xml; charset=koi8-r"
    )


@case
def cyrillic_without_any_label() -> Case:
    words = "Погода в Москве завтра будет тёплой и сухой, обещают синоптики столицы России"
    items = [ACCENTED[0]._replace(title=words), *ACCENTED[1:]]
    return sound(rss(*map(item, items), head="").encode("cp1251"), items)


@case
def iso_2022_jp_declared() -> Case:
    items = [ACCENTED[0]._replace(title="東京の天気"), *ACCENTED[1:]]
    text = rss(*map(item, items), head='<?xml version="1.0" encoding="iso-2022-jp"?>')
    return sound(text.encode("iso-2022-jp"), items)


@case
def gzip_without_header() -> Case:
    return sound(gzip.compress(_accented().encode()), ACCENTED)


@case
def zlib_without_header() -> Case:
    return sound(zlib.compress(_accented().encode()), ACCENTED)


@case
def gzip_cut_in_its_trailer() -> Case:
    return sound(gzip.compress(_accented().encode())[:-6], ACCENTED)


@case
def gzip_of_gzip() -> Case:
    return sound(gzip.compress(gzip.compress(_accented().encode())), ACCENTED)


@case
def gzip_bomb() -> Case:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()
    return refused(packed, "too_big")


@case
def gzip_of_noise() -> Case:
    return refused(b"\x1f\x8b\x08\x00" + bytes(range(256)) * 4, "not_a_feed")


@case
def nothing() -> Case:
    return refused(b"", "empty")


@case
def only_white_space_and_zeros() -> Case:
    return refused(b" \r\n\t\0\0 \n", "empty")


@case
def eleven_megabytes() -> Case:
    return refused(_accented().encode() + b" " * 11_000_000, "too_big")
