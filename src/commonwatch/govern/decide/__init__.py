"""From agreements to a decision table: what each level shows, pieces of age laid on time, tables, descriptions."""
