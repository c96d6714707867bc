"""Every HTTP route we have. Handlers are plain functions that call the story; nothing is decided here."""
