"""Which acts of the audit log a role may read (the last row of rule 16): all, those about people, those of operations."""

PEOPLE, OPERATIONS = "people", "operations"

# The first word of each action. One that is not here is for super_admin alone; a test asks that each is.
SCOPES: dict[str, str] = {
    "account": PEOPLE,
    "address": PEOPLE,
    "admin": PEOPLE,
    "consent": PEOPLE,
    "email": PEOPLE,
    "grant": PEOPLE,
    "identity": PEOPLE,
    "impersonation": PEOPLE,
    "inbound_email": PEOPLE,
    "letter": PEOPLE,
    "member": PEOPLE,
    "privacy": PEOPLE,
    "role": PEOPLE,
    "service": PEOPLE,
    "session": PEOPLE,
    "sessions": PEOPLE,
    "sign_in": PEOPLE,
    "social": PEOPLE,
    "token": PEOPLE,
    "user": PEOPLE,
    "ai_budget": OPERATIONS,
    "ai_prices": OPERATIONS,
    "audit": OPERATIONS,
    "ban": OPERATIONS,
    "bulk_action": OPERATIONS,
    "cache": OPERATIONS,
    "cli": OPERATIONS,
    "feed": OPERATIONS,
    "file": OPERATIONS,
    "finding": OPERATIONS,
    "flag": OPERATIONS,
    "job": OPERATIONS,
    "job_type": OPERATIONS,
    "limit": OPERATIONS,
    "queue": OPERATIONS,
    "rate_limit": OPERATIONS,
    "schedule": OPERATIONS,
    "search": OPERATIONS,
    "secrets": OPERATIONS,
    "setting": OPERATIONS,
    "tag": OPERATIONS,
    "story": OPERATIONS,
    "template": OPERATIONS,
}
OF_ROLE: dict[str | None, frozenset[str]] = {
    "super_admin": frozenset((PEOPLE, OPERATIONS)),
    "support": frozenset((PEOPLE,)),
    "ops": frozenset((OPERATIONS,)),
    "read_only": frozenset((OPERATIONS,)),
}


def first_words(role: str | None) -> list[str] | None:
    """The first words of the actions that a role may read; None for all of them."""
    if role == "super_admin":
        return None
    scopes = OF_ROLE.get(role, frozenset())
    return sorted(word for word, scope in SCOPES.items() if scope in scopes)
