"""What results mean: result files -> load -> validate -> summarise -> draw -> page."""
