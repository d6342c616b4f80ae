"""What a reader gets: report, note, provenance, archive, documentation and terminal."""
