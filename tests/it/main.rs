//! All integration tests, one binary: one link instead of many.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and so says where")]

mod access;
mod answer;
mod ask;
mod bench;
mod camera;
mod config;
mod config_schema;
mod control;
mod doctor;
mod examples;
mod families;
mod faults;
mod flow;
mod history;
mod homeassistant;
mod image;
mod json;
mod layers;
mod model;
mod models;
mod mqtt;
mod newcomers;
mod pages;
mod reload;
mod replay;
mod run;
mod scene;
mod service;
mod sight;
mod soak;
mod start;
mod support;
mod tidy;
mod watchdog;
mod web;
mod wordings;
