//! Who gets the accelerator next, and doing each thing once.
