"""Tests of the exported contract: the events, as AsyncAPI and TypeScript."""
