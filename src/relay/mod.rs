//! The BetaNet relay: a web site to everyone, a door to those who hold a ticket.
