"""Where the data lives: settings, and the way to PostgreSQL, given or embedded."""
