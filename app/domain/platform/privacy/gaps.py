"""What the registry lacks: columns of the schema that look personal and are not listed."""

import re

from app.domain.platform.privacy.registry import NOT_PERSONAL, PLACES
from app.services import Services

# By name: who it is, how to reach them, where they are, what they wrote.
LOOKS_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|fax|address|addr|street|postal_code|zip|birth\w*|gender|ip|agent|user_agent|network"
    r"|user|member|visitor|person|owner|actor|sender|recipient|subject|subjects|author|impersonator|anon|browser"
    r"|user_ids?|member_id|visitor_id|owner_id|actor_id|subject_id|author_id|target_id|target_user_id"
    r"|lat|lon|location|handle|avatar|cookie)(_id|_hash|_enc|_address|_name|_text)?$"
    r"|(^|_)(name|title|body|text|note|notes|message|comment|bio|content|input|reason|before|after|doc|settings|payload"
    r"|summary|report|results|value|error|last_error|folder)$"
    r"|_(by|enc)$|^(display_name|summary_html|body_text|text_body|html_body|granted_by|added_by|suggested_by)$"
)

COLUMNS = """
SELECT c.table_name::text AS "table", c.column_name::text AS "column", c.data_type = 'jsonb' AS is_open
FROM information_schema.columns c
JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = 'public'::regnamespace
WHERE c.table_schema = 'public' AND t.relkind IN ('r', 'p') AND NOT t.relispartition AND c.data_type <> 'boolean'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
# What points at a person must be in the registry too, whatever it is called.
POINTERS = """
SELECT k.conrelid::regclass::text AS "table", a.attname::text AS "column"
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.confrelid = 'users'::regclass AND k.conparentid = 0
"""


async def unlisted(services: Services) -> list[str]:
    """Columns (`table.column`) that look personal, or point at a person, and are not in the registry."""
    listed = {(place.name, column) for place in PLACES for column in place.columns}
    rows = await services.db.fetch(COLUMNS)
    # What is in a document no name tells: each has to be looked at once.
    found = {
        (row["table"], row["column"])
        for row in rows
        if row["is_open"] or LOOKS_PERSONAL.search(row["column"])
    }
    found |= {(row["table"], row["column"]) for row in await services.db.fetch(POINTERS)}
    harmless = {
        (table, column) for table, columns in NOT_PERSONAL.items() for column in columns.split()
    }
    return sorted(f"{table}.{column}" for table, column in found - listed - harmless)


async def imaginary(services: Services) -> list[str]:
    """Columns that the registry names and the schema has not."""
    there = {(row["table"], row["column"]) for row in await services.db.fetch(COLUMNS)}
    return sorted(
        f"{place.name}.{column}"
        for place in PLACES
        if place.subject
        for column in {*place.columns, *place.secrets.split(), *place.withheld.split()} - {"*"}
        if (place.name, column) not in there
    )
