"""Heavy or outside work and business data, behind small interfaces."""
