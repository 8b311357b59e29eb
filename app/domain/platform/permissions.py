"""Permissions: what each role of an admin may do (chapter 10 rule 16). Nobody has one without a role."""

# "view" of rule 16's table stands for the permission's reading half, which has a name of its own.
ROLES = ("super_admin", "support", "ops", "read_only")
MATRIX: dict[str, frozenset[str]] = {
    "manage_roles": frozenset(("super_admin",)),
    "manage_settings": frozenset(("super_admin",)),
    "manage_flags": frozenset(("super_admin",)),
    "manage_money": frozenset(("super_admin",)),
    "manage_users": frozenset(("super_admin", "support")),
    "view_users": frozenset(("super_admin", "support")),
    "impersonate": frozenset(("super_admin", "support")),
    # The writing half of rule 17, for a super_admin who asks; it cannot be granted.
    "impersonate_writing": frozenset(("super_admin",)),
    "handle_privacy": frozenset(("super_admin",)),
    "moderate": frozenset(("super_admin", "support")),
    "manage_system": frozenset(("super_admin", "ops")),
    "manage_limits": frozenset(("super_admin", "ops")),
    "manage_budget": frozenset(("super_admin", "ops")),
    "stop_flags": frozenset(("super_admin", "ops")),
    "manage_content": frozenset(("super_admin", "ops")),
    "view_content": frozenset(ROLES),
    "view_system": frozenset(("super_admin", "ops", "read_only")),
    "view_flags": frozenset(("super_admin", "ops", "read_only")),
    "view_limits": frozenset(("super_admin", "ops", "read_only")),
    "view_analytics": frozenset(("super_admin", "ops", "read_only")),
    "view_audit": frozenset(ROLES),
}
OF_ROLE: dict[str | None, frozenset[str]] = {
    role: frozenset(name for name, roles in MATRIX.items() if role in roles) for role in ROLES
}


GRANTABLE = frozenset(MATRIX) - {"impersonate_writing"}


def of(role: str | None, grants: frozenset[str] = frozenset()) -> frozenset[str]:
    """What an admin with this role and these live grants may do; without a role nothing."""
    return OF_ROLE[role] | grants if role else frozenset()
