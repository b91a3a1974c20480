"""The sample application: one small program that plays every application role of the systems."""
