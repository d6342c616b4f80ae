"""From records to tables, comparisons and verdicts."""
