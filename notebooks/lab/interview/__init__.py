"""The interview: questions, with answers measured a moment ago."""
