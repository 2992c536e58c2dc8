//! The `wader` program: arguments in, exit code out.

/// One heap for the whole process, GStreamer's and ONNX Runtime's included: the C library's kept what cameras that come and go
/// had used (tests/it/soak), and grew.
#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    wader::cli::main()
}
