"""What a gateway keeps so that nothing is lost: room on disk, batches until they are safe, original records."""
