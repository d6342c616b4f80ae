"""What a reader gets: report, note, provenance, archive and terminal."""
