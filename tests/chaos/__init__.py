"""The whole pipeline under seeded misfortune."""
