"""force-field."""
