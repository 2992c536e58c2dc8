//! The `wader` program: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    wader::cli::main()
}
