//! The model runtime, on the oracle: what goes in arrives, exactly and nowhere else, and the work is the least there is.

mod folder;
mod oracle;
mod small;
mod speller;
