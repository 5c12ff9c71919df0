"""The interview: questions, with answers from fresh measurements."""
