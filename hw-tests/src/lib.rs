//! Support for the tests that need radios.
