"""The ground: people, rights, mail, files, places and delayed jobs."""
