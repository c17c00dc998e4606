//! A virtual world: the one model of the air.
