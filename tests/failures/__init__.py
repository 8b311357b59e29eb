"""What goes wrong around Village: servers that fall, outside services that are gone, eyes that must not see."""
