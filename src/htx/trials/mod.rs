//! Two ends of a tunnel in memory, put to the test: how they behave, what an adversary between them can do, and
//! whether data stays whole however its bytes are cut.

mod adversary;
mod behaviour;
mod flow;
mod integrity;
mod pair;
