//! The fault matrix, row by row: each test is a row, says what it measured, and leaves it in `target/faults`.

mod hostile;
