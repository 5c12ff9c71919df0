"""What several processes bring and cost: measured for lesson 12."""
