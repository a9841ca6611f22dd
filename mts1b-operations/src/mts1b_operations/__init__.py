"""Watch, halt and prove."""
