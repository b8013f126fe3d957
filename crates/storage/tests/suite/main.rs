//! Scenarios over both stores and the journal.

mod common;
mod crash;
mod damage;
mod disk;
mod journal;
mod journal_cache;
mod journal_model;
mod journal_scans;
mod stores;
